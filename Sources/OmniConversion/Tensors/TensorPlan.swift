import OmniTensor

/// How a converted tensor is stored; quantized types are made from these by libllama.
enum StoredType: UInt32, Sendable {
    case f32 = 0, f16 = 1, bf16 = 30

    var width: Int { self == .f32 ? 4 : 2 }
    var encoding: WeightEncoding { .native(self == .f32 ? .f32 : self == .f16 ? .f16 : .bf16) }
}

/// A tensor of the GGUF, and what it is made of.
struct TensorPlan: Sendable {
    let name: String
    /// Fastest axis first.
    let shape: [Int]
    let type: StoredType
    let content: Content

    enum Content: Sendable {
        /// Rows of tensors of the checkpoint, one after the other.
        case weights([Slice], order: RowOrder, plus: Float)
        case values([Float])
    }

    /// Some rows of a tensor of the checkpoint.
    struct Slice: Sendable {
        let entry: WeightEntry
        let rows: Range<Int>
    }

    var count: Int { shape.reduce(1, *) }
    var byteCount: Int { count * type.width }
    var rowLength: Int { shape.first ?? 1 }
}

/// In which order the rows of a tensor are stored.
enum RowOrder: Sendable, Equatable {
    case asIs
    /// Of each head's rows, first one of the first half, then one of the second: transformers turns the halves of a head against each
    /// other, libllama's `llama` family neighbours.
    case pairs(heads: Int)

    /// Rows that must be read together.
    func block(of rows: Int) -> Int {
        switch self {
        case .asIs: 1
        case .pairs(let heads): max(rows / max(heads, 1), 1)
        }
    }

    /// The row of the block that stands in `place`.
    func source(_ place: Int, block: Int) -> Int {
        switch self {
        case .asIs: place
        case .pairs: place / 2 + place % 2 * (block / 2)
        }
    }
}
