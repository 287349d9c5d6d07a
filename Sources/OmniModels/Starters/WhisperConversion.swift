import Foundation

/// Makes whisper.cpp's `ggml-base.bin` of Whisper's weights in CTranslate2's form.
///
/// `head`, which comes with whisper.cpp, has all that stands before the weights: sizes, mel filters and the vocabulary.
struct WhisperConversion {
    let head: Data
    private var weights: WhisperWeights
    private let layers: (encoder: Int, decoder: Int)

    /// A tensor of f16, by its name in OpenAI's code.
    private typealias Tensor = (name: String, dims: [Int], bytes: Data)

    init(head: Data, weights: WhisperWeights) throws {
        var input = LittleEndianInput(data: head)
        let fields = try (0..<12).map { _ in Int(try input.number() as Int32) }
        guard fields[0] == 0x6767_6d6c else { throw SetupError("What stands before Whisper's weights is no file of whisper.cpp's.") }
        (self.head, self.weights, layers) = (head, weights, (fields[5], fields[9]))
        let dims = weights.variables["decoder/embeddings/weight"]?.dims ?? []
        guard dims == [fields[1], fields[3]] else {
            throw SetupError(
                "The weights are of \(dims.map(String.init).joined(separator: " × ")); \(fields[1]) tokens of width \(fields[3]) are wanted."
            )
        }
    }

    /// Writes the file a tensor at a time. Throws where a weight is missing, left over, or of another size.
    mutating func write(_ sink: (Data) throws -> Void) throws {
        try sink(head)
        for tensor in try tensors() { try sink(Self.record(tensor)) }
        // Single numbers about the computation are all that may be left.
        let left = weights.variables.filter { $0.value.type == WhisperWeights.f16 }.keys.sorted()
        guard left.isEmpty else { throw SetupError("Nobody asked for the variables \(left.joined(separator: ", ")).") }
    }

    private mutating func tensors() throws -> [Tensor] {
        var found = [try single("encoder.positional_embedding", "encoder/position_encodings/encodings")]
        found += try pair("encoder.conv1", "encoder/conv1") + pair("encoder.conv2", "encoder/conv2")
        for layer in 0..<layers.encoder { found += try block("encoder.blocks.\(layer)", "encoder/layer_\(layer)", crosses: false) }
        found += try norm("encoder.ln_post", "encoder")
        found.append(try single("decoder.positional_embedding", "decoder/position_encodings/encodings"))
        found.append(try single("decoder.token_embedding.weight", "decoder/embeddings/weight"))
        for layer in 0..<layers.decoder { found += try block("decoder.blocks.\(layer)", "decoder/layer_\(layer)", crosses: true) }
        return found + (try norm("decoder.ln", "decoder"))
    }

    private mutating func single(_ ours: String, _ theirs: String) throws -> Tensor {
        let variable = try weights.pop(theirs)
        return (ours, variable.dims, variable.bytes)
    }

    private mutating func pair(_ ours: String, _ theirs: String, weight: String = "weight", bias: String = "bias") throws -> [Tensor] {
        [try single("\(ours).weight", "\(theirs)/\(weight)"), try single("\(ours).bias", "\(theirs)/\(bias)")]
    }

    private mutating func norm(_ ours: String, _ theirs: String) throws -> [Tensor] {
        try pair(ours, "\(theirs)/layer_norm", weight: "gamma", bias: "beta")
    }

    /// Several products that are one matrix there. A key has no bias in Whisper: there it is zero.
    private mutating func stacked(_ names: [String], _ theirs: String) throws -> [Tensor] {
        let weight = try weights.pop("\(theirs)/weight"), bias = try weights.pop("\(theirs)/bias")
        return try zip(names, zip(Self.cut(weight, names.count), Self.cut(bias, names.count))).flatMap { name, parts -> [Tensor] in
            let product = (name: "\(name).weight", dims: parts.0.dims, bytes: parts.0.bytes)
            guard name.hasSuffix(".key") else { return [product, ("\(name).bias", parts.1.dims, parts.1.bytes)] }
            guard parts.1.bytes.allSatisfy({ $0 == 0 }) else { throw SetupError("\(name) has a bias, which Whisper does not know.") }
            return [product]
        }
    }

    /// `count` parts of equal heights.
    private static func cut(_ variable: WhisperWeights.Variable, _ count: Int) -> [(dims: [Int], bytes: Data)] {
        let size = variable.bytes.count / count, start = variable.bytes.startIndex
        return (0..<count).map { part in
            ([variable.dims[0] / count] + variable.dims.dropFirst(), variable.bytes[start + part * size..<start + (part + 1) * size])
        }
    }

    private mutating func block(_ ours: String, _ theirs: String, crosses: Bool) throws -> [Tensor] {
        var found = try norm("\(ours).attn_ln", "\(theirs)/self_attention")
        found += try stacked(["query", "key", "value"].map { "\(ours).attn.\($0)" }, "\(theirs)/self_attention/linear_0")
        found += try pair("\(ours).attn.out", "\(theirs)/self_attention/linear_1")
        if crosses {
            found += try norm("\(ours).cross_attn_ln", "\(theirs)/attention")
            found += try pair("\(ours).cross_attn.query", "\(theirs)/attention/linear_0")
            found += try stacked(["key", "value"].map { "\(ours).cross_attn.\($0)" }, "\(theirs)/attention/linear_1")
            found += try pair("\(ours).cross_attn.out", "\(theirs)/attention/linear_2")
        }
        found += try norm("\(ours).mlp_ln", "\(theirs)/ffn")
        return try found + pair("\(ours).mlp.0", "\(theirs)/ffn/linear_0") + pair("\(ours).mlp.2", "\(theirs)/ffn/linear_1")
    }

    /// A tensor as ggml's file has it: dims from the innermost, vectors and positions in f32, a convolution's bias as a column.
    private static func record(_ tensor: Tensor) -> Data {
        let isWide = tensor.dims.count == 1 || tensor.name.hasSuffix("positional_embedding")
        let dims = tensor.dims + (tensor.name.wholeMatch(of: /encoder\.conv\d\.bias/) == nil ? [] : [1])
        var record = Data()
        for number in [dims.count, tensor.name.utf8.count, isWide ? 0 : 1] + dims.reversed() {
            withUnsafeBytes(of: Int32(number).littleEndian) { record.append(contentsOf: $0) }
        }
        record.append(contentsOf: tensor.name.utf8)
        guard isWide else { return record + tensor.bytes }
        tensor.bytes.withUnsafeBytes { halves in
            for place in stride(from: 0, to: halves.count, by: 2) {
                let half = Float16(bitPattern: UInt16(littleEndian: halves.loadUnaligned(fromByteOffset: place, as: UInt16.self)))
                withUnsafeBytes(of: Float(half).bitPattern.littleEndian) { record.append(contentsOf: $0) }
            }
        }
        return record
    }
}
