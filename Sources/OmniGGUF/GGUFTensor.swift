/// A tensor as a GGUF file lists it.
public struct GGUFTensor: Sendable, Equatable {
    public let name: String
    /// Fastest axis first. ggml itself has four axes; ComfyUI-GGUF's files of video models have kernels with five.
    public let shape: [Int64]
    /// ggml's number of the element type.
    public let type: UInt32
    /// Bytes from where the data begin.
    public let offset: Int64

    init(_ input: inout GGUFInput) throws {
        name = try input.string()
        let dimensions = try input.integer(UInt32.self)
        guard dimensions <= 5 else { throw GGUFError("a tensor has \(dimensions) dimensions") }
        shape = try (0..<dimensions).map { _ in
            guard let length = Int64(exactly: try input.integer(UInt64.self)) else { throw GGUFError.tensorTooLarge }
            return length
        }
        type = try input.integer(UInt32.self)
        guard let offset = Int64(exactly: try input.integer(UInt64.self)) else { throw GGUFError.tensorTooLarge }
        self.offset = offset
    }
}

/// How ggml packs a tensor type: `elements` values in `size` bytes (`ggml_type_size`, `ggml_blck_size`).
struct TensorBlock {
    let elements: Int64
    let size: Int64

    /// Nil when the number does not fit.
    func bytes(shape: [Int64]) -> Int64? {
        var count: Int64 = 1
        for length in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: length)
            if overflow { return nil }
            count = product
        }
        // Rounded up without a sum that could pass the largest number.
        let blocks = count / elements + (count % elements == 0 ? 0 : 1)
        let (bytes, overflow) = blocks.multipliedReportingOverflow(by: size)
        return overflow ? nil : bytes
    }

    static let byType: [UInt32: TensorBlock] = [
        0: .init(elements: 1, size: 4), 1: .init(elements: 1, size: 2), 30: .init(elements: 1, size: 2),
        24: .init(elements: 1, size: 1), 25: .init(elements: 1, size: 2), 26: .init(elements: 1, size: 4),
        27: .init(elements: 1, size: 8), 28: .init(elements: 1, size: 8),
        2: .init(elements: 32, size: 18), 3: .init(elements: 32, size: 20), 6: .init(elements: 32, size: 22),
        7: .init(elements: 32, size: 24), 8: .init(elements: 32, size: 34), 9: .init(elements: 32, size: 36),
        10: .init(elements: 256, size: 84), 11: .init(elements: 256, size: 110), 12: .init(elements: 256, size: 144),
        13: .init(elements: 256, size: 176), 14: .init(elements: 256, size: 210), 15: .init(elements: 256, size: 292),
        16: .init(elements: 256, size: 66), 17: .init(elements: 256, size: 74), 18: .init(elements: 256, size: 98),
        19: .init(elements: 256, size: 50), 20: .init(elements: 32, size: 18), 21: .init(elements: 256, size: 110),
        22: .init(elements: 256, size: 82), 23: .init(elements: 256, size: 136), 29: .init(elements: 256, size: 56),
        34: .init(elements: 256, size: 54), 35: .init(elements: 256, size: 66), 39: .init(elements: 32, size: 17),
    ]
}
