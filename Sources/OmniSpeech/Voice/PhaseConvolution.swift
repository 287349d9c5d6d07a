/// A transposed convolution over one dimension, written as a plain one.
///
/// With a stride of s, the outputs s·j + q take from the inputs j, j − 1, … the taps q, q + s, … So one convolution with s times as
/// many channels, a set for each phase q, computes them all, and they are then put in turn. ONNX Runtime up to 1.30 adds each
/// product of a transposed convolution to its place one at a time and on one thread, which is a sixth of the time of a Piper voice.
struct PhaseConvolution {
    /// NodeProto messages, in their order.
    let nodes: [[UInt8]]
    /// TensorProto messages that the nodes use.
    let tensors: [[UInt8]]

    /// nil where `node` is anything else than a 1-D transposed convolution with its weights in the file.
    init?(_ node: ONNXNode, tensors known: [String: ONNXTensor]) {
        let plain: Set<String> = ["dilations", "group", "kernel_shape", "pads", "strides"]
        guard node.operation == "ConvTranspose", node.domain.isEmpty, node.attributes.isSubset(of: plain),
            (2...3).contains(node.inputs.count),
            let output = node.outputs.first, node.outputs.count == 1, let weights = known[node.inputs[1]],
            let values = weights.floats(dimensions: 3)
        else { return nil }
        let (inputs, outputs, kernel) = (weights.shape[0], weights.shape[1], weights.shape[2])
        let stride = node.integers["strides"] ?? [1], pads = node.integers["pads"] ?? [0, 0]
        guard stride.count == 1, stride[0] >= 2, stride[0] <= kernel, pads.count == 2, pads.allSatisfy({ (0..<kernel).contains($0) }),
            node.integers["group"] ?? [1] == [1], node.integers["dilations"] ?? [1] == [1],
            node.integers["kernel_shape"] ?? [kernel] == [kernel]
        else { return nil }
        let phases = stride[0], taps = (kernel + phases - 1) / phases

        var bias: [Float]?
        if node.inputs.count == 3, !node.inputs[2].isEmpty {
            guard let found = known[node.inputs[2]]?.floats(dimensions: 1), found.count == outputs else { return nil }
            bias = Array(repeatElement(found, count: phases).joined())
        }
        // [phase, output, input, tap]; a convolution's last tap meets the newest input.
        var arranged = [Float](repeating: 0, count: phases * outputs * inputs * taps)
        for input in 0..<inputs {
            for output in 0..<outputs {
                for place in 0..<kernel {
                    let (tap, phase) = place.quotientAndRemainder(dividingBy: phases)
                    arranged[((phase * outputs + output) * inputs + input) * taps + taps - 1 - tap] =
                        values[(input * outputs + output) * kernel + place]
                }
            }
        }
        func name(_ part: String) -> String { "\(output)/phases/\(part)" }
        var made = [ONNXTensor.message(name("weight"), [phases * outputs, inputs, taps], floats: arranged)]
        if let bias { made.append(ONNXTensor.message(name("bias"), [bias.count], floats: bias)) }
        // The first pads[0] samples and all beyond the transposed convolution's length are cut off.
        let surplus = phases * taps - kernel + pads[1]
        for (part, integers) in [
            ("split", [0, phases, -1]), ("join", [0, outputs, -1]), ("begin", [pads[0]]), ("end", [surplus > 0 ? -surplus : .max]),
            ("axis", [2]),
        ] { made.append(ONNXTensor.message(name(part), integers: integers)) }
        tensors = made
        nodes = [
            ONNXNode.message(
                "Conv", [node.inputs[0], name("weight")] + (bias == nil ? [] : [name("bias")]), name("conv"),
                [("kernel_shape", [taps]), ("pads", [taps - 1, taps - 1]), ("strides", [1])]),
            ONNXNode.message("Reshape", [name("conv"), name("split")], name("parts")),
            ONNXNode.message("Transpose", [name("parts")], name("turns"), [("perm", [0, 2, 1])]),
            ONNXNode.message("Reshape", [name("turns"), name("join")], name("whole")),
            ONNXNode.message("Slice", [name("whole"), name("begin"), name("end"), name("axis")], output),
        ]
    }

    /// A graph's message with its transposed convolutions replaced, in pieces; nil when there are none.
    static func rewritten(_ graph: UnsafeRawBufferPointer) throws -> [ONNXFile.Piece]? {
        var tensors: [String: ONNXTensor] = [:], nodes: [ONNXNode] = []
        var given: Set<String> = [], results: Set<String> = []
        var reader = ProtobufReader(graph)
        while let (field, value) = try reader.next() {
            guard case .bytes(let bytes) = value else { continue }
            if field == 1 { nodes.append(try ONNXNode(bytes)) }
            if field == 5 {
                let tensor = try ONNXTensor(bytes)
                tensors[tensor.name] = tensor
            }
            if field == 11 { given.formUnion(try ONNXFile.name(of: ProtobufReader(bytes))) }
            if field == 12 { results.formUnion(try ONNXFile.name(of: ProtobufReader(bytes))) }
        }
        // What a caller may give in place of the weights is not known beforehand.
        for name in given { tensors[name] = nil }
        let replaced = nodes.map { PhaseConvolution($0, tensors: tensors) }
        guard replaced.contains(where: { $0 != nil }) else { return nil }

        // Weights that nobody else needs are left out.
        let replacedInputs = Set(zip(nodes, replaced).filter { $1 != nil }.flatMap { $0.0.inputs.dropFirst() })
        let keptInputs = Set(zip(nodes, replaced).filter { $1 == nil }.flatMap { $0.0.inputs })
        let unused = nodes.contains(where: \.hasGraph) ? [] : replacedInputs.subtracting(keptInputs).subtracting(results)

        var pieces: [ONNXFile.Piece] = [], begin = 0, index = 0
        reader = ProtobufReader(graph)
        while let (field, value) = try reader.next() {
            defer { begin = reader.place }
            if field == 5, case .bytes(let bytes) = value, unused.contains(try ONNXTensor(bytes).name) { continue }
            if field == 1, case .bytes = value {
                defer { index += 1 }
                if let replacement = replaced[index] {
                    var made = ProtobufWriter()
                    for node in replacement.nodes { made.bytes(1, node) }
                    for tensor in replacement.tensors { made.bytes(5, tensor) }
                    pieces.append(.made(made.message))
                    continue
                }
            }
            pieces.append(.kept(UnsafeRawBufferPointer(rebasing: graph[begin..<reader.place])))
        }
        return pieces
    }
}
