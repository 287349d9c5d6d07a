import CLlama

/// A tensor as it lies in a file.
public struct WeightEntry: Sendable {
    public let name: String
    /// Fastest axis first, at most four.
    public let shape: [Int]
    /// The slowest axes, where the file has more than four: they are one in `shape`.
    let folded: [Int]
    public let encoding: WeightEncoding
    /// What the stored values stand for, where that is not themselves.
    let scaling: WeightScaling?
    package let file: WeightFile
    /// Bytes from the file's start.
    package let offset: Int
    package let byteCount: Int

    /// - Parameter axes: fastest first. ggml has four: the slowest ones become one, as its 3D convolution has its kernels.
    init(
        name: String, axes: [Int], encoding: WeightEncoding, scaling: WeightScaling? = nil, file: WeightFile, offset: Int, byteCount: Int
    ) {
        (self.name, self.encoding, self.scaling, self.file) = (name, encoding, scaling, file)
        (self.offset, self.byteCount) = (offset, byteCount)
        shape = axes.count <= 4 ? axes : Array(axes[..<3]) + [axes[3...].reduce(1, *)]
        folded = axes.count > 4 ? Array(axes[3...]) : []
    }

    /// All axes of the file, fastest first.
    package var axes: [Int] { isFolded ? Array(shape[..<3]) + folded : shape }
    var isFolded: Bool { !folded.isEmpty }
    /// Elements of a row, and the number of rows.
    var rowLength: Int { shape.first ?? 1 }
    package var rows: Int { shape.dropFirst().reduce(1, *) }
}

extension WeightEntry {
    /// The same values under another name.
    package func named(_ name: String) -> WeightEntry {
        WeightEntry(name: name, axes: axes, encoding: encoding, scaling: scaling, file: file, offset: offset, byteCount: byteCount)
    }

    /// The same values along other axes, fastest first, as many as there were.
    package func along(_ axes: [Int]) -> WeightEntry {
        WeightEntry(name: name, axes: axes, encoding: encoding, scaling: scaling, file: file, offset: offset, byteCount: byteCount)
    }

    /// The same values times what a scale says.
    func scaled(_ scaling: WeightScaling) -> WeightEntry {
        WeightEntry(name: name, axes: axes, encoding: encoding, scaling: scaling, file: file, offset: offset, byteCount: byteCount)
    }

    /// One of `count` equal parts of its outputs, the slowest axis; nil where they do not part evenly. A part of a quantized matrix is
    /// whole blocks, since rows are.
    package func part(_ index: Int, of count: Int) -> WeightEntry? {
        if count == 1 { return self }
        guard let outputs = axes.last, outputs % count == 0, byteCount % count == 0, axes.count > 1 || !encoding.isQuantized else {
            return nil
        }
        let bytes = byteCount / count
        return WeightEntry(
            name: name, axes: axes.dropLast() + [outputs / count], encoding: encoding, scaling: scaling?.part(index, of: count), file: file,
            offset: offset + index * bytes, byteCount: bytes)
    }
}

/// How a file stores the elements of a tensor.
public enum WeightEncoding: Sendable, Equatable, CustomStringConvertible {
    /// As ggml does.
    case native(ElementType)
    /// 8-bit floats, sign · exponent · mantissa (arXiv:2209.05433).
    case e4m3, e5m2

    public var description: String {
        switch self {
        case .native(let type): type.description
        case .e4m3: "f8_e4m3"
        case .e5m2: "f8_e5m2"
        }
    }

    /// Bytes of a row of `count` elements; nil where a quantized type's blocks do not fill it, or where that is no number of ours.
    func rowBytes(_ count: Int) -> Int? {
        guard case .native(let type) = self else { return count }
        let (blocks, rest) = count.quotientAndRemainder(dividingBy: type.blockSize)
        let (bytes, overflow) = blocks.multipliedReportingOverflow(by: type.rowBytes(type.blockSize))
        return rest == 0 && !overflow ? bytes : nil
    }

    /// Bytes of a tensor; nil where rows cannot be stored so, or where that is no number of ours.
    func byteCount(_ axes: [Int]) -> Int? {
        guard let first = axes.first, var bytes = rowBytes(first) else { return nil }
        for axis in axes.dropFirst() {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: axis)
            guard !overflow else { return nil }
            bytes = product
        }
        return bytes
    }

    var isQuantized: Bool { if case .native(let type) = self { type.isQuantized } else { false } }

    /// Writes `count` elements from `source` as f32.
    package func decode(_ source: UnsafeRawPointer, _ count: Int, into target: UnsafeMutablePointer<Float>) {
        switch self {
        case .native(.f32):
            target.update(from: source.assumingMemoryBound(to: Float.self), count: count)
        case .native(.f64):
            for index in 0..<count { target[index] = Float(source.loadUnaligned(fromByteOffset: 8 * index, as: Double.self)) }
        case .native(.i8):
            for index in 0..<count { target[index] = Float(source.load(fromByteOffset: index, as: Int8.self)) }
        case .native(let type):
            ggml_get_type_traits(type.raw)?.pointee.to_float?(source, target, Int64(count))
        case .e4m3:
            for index in 0..<count { target[index] = Self.e4m3Table[Int(source.load(fromByteOffset: index, as: UInt8.self))] }
        case .e5m2:
            for index in 0..<count { target[index] = Self.e5m2Table[Int(source.load(fromByteOffset: index, as: UInt8.self))] }
        }
    }

    /// e4m3fn: no infinities; all ones is no number.
    private static let e4m3Table = (0..<256).map { bits -> Float in
        let magnitude = bits & 0x7f
        if magnitude == 0x7f { return .nan }
        let value =
            magnitude < 8
            ? Float(magnitude) / 512 : Float(sign: .plus, exponent: (magnitude >> 3) - 7, significand: 1 + Float(magnitude & 7) / 8)
        return bits < 128 ? value : -value
    }

    /// e5m2 is the upper half of an f16.
    private static let e5m2Table = (0..<256).map { ggml_fp16_to_fp32(UInt16($0) << 8) }
}
