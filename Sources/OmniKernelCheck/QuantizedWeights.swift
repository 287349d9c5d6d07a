import CLlama

/// Weights [outputs][inner] of one type, and the numbers that they stand for.
struct QuantizedWeights {
    let type: WeightType
    let inner, outputs: Int
    let bytes: [UInt8]
    /// What the bytes stand for, by ggml's plain decoder: what a kernel has to multiply with.
    let values: [Float]

    /// Elements that are quantized at once and rows are put together from: a whole block of every type.
    private static let piece = 256

    init(_ type: WeightType, inner: Int, outputs: Int, seed: UInt64) throws {
        var numbers = Numbers(seed: seed)
        // Rows are put together from a few pieces, in any order.
        let length = inner % Self.piece == 0 ? Self.piece : inner, count = 25
        var source = (0..<count * length).map { $0 < length ? 0 : numbers.normal() }
        let pieceBytes = ggml_row_size(type.raw, Int64(length))
        var pieces = [UInt8](repeating: 0, count: count * pieceBytes)
        if Self.takesAnyBits(type) {
            // Zeros stay zeros: their scale is one.
            for place in pieceBytes..<pieces.count { pieces[place] = UInt8(truncatingIfNeeded: numbers.next()) }
            for first in stride(from: pieceBytes, to: pieces.count, by: pieceBytes) {
                let scale = Float16(0.02 + 0.05 * numbers.unit()).bitPattern
                (pieces[first], pieces[first + 1]) = (UInt8(scale & 0xFF), UInt8(scale >> 8))
            }
        } else {
            let written = pieces.withUnsafeMutableBytes {
                ggml_quantize_chunk(type.raw, source, $0.baseAddress, 0, Int64(count), Int64(length), nil)
            }
            guard written == pieces.count else { throw KernelRefusal(description: "ggml quantized \(written) bytes of \(pieces.count)") }
        }
        if type.raw != GGML_TYPE_F32 {
            guard let decode = ggml_get_type_traits(type.raw).pointee.to_float else {
                throw KernelRefusal(description: "ggml has no decoder for \(type.name)")
            }
            pieces.withUnsafeBytes { decode($0.baseAddress, &source, Int64(count * length)) }
        }
        var bytes: [UInt8] = [], values: [Float] = []
        for row in 0..<outputs {
            for _ in 0..<inner / length {
                // The first piece is zeros, and so is the second row: padded vocabularies have such.
                let piece = row == 1 ? 0 : 1 + numbers.below(count - 1)
                bytes += pieces[piece * pieceBytes..<(piece + 1) * pieceBytes]
                values += source[piece * length..<(piece + 1) * length]
            }
        }
        self.type = type
        self.inner = inner
        self.outputs = outputs
        self.bytes = bytes
        self.values = values
    }

    /// Types of one block in 256 elements that begins with an f16 scale and whose other bits all mean something: these need no
    /// quantizer, which takes ten seconds for them to get ready.
    private static func takesAnyBits(_ type: WeightType) -> Bool {
        [GGML_TYPE_IQ2_XXS, GGML_TYPE_IQ2_XS, GGML_TYPE_IQ2_S, GGML_TYPE_IQ1_S].contains { $0 == type.raw }
    }
}
