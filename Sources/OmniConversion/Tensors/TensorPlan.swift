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

    /// Some rows of a tensor of the checkpoint; of a vector some of its numbers.
    struct Slice: Sendable {
        let entry: WeightEntry
        let rows: Range<Int>
    }

    var count: Int { shape.reduce(1, *) }
    var byteCount: Int { count * type.width }
    var rowLength: Int { shape.first ?? 1 }
}

extension WeightEntry {
    /// Numbers of a row. A vector is a column of rows of one number each.
    var sliceLength: Int { shape.count == 1 ? 1 : shape.first ?? 1 }
    var sliceCount: Int { shape.count == 1 ? shape[0] : rows }
}

/// In which order the rows of a tensor are stored.
enum RowOrder: Sendable, Equatable {
    case asIs
    /// Of each head's rows, first one of the first half, then one of the second: transformers turns the halves of a head against each
    /// other, libllama's `llama` family neighbours.
    case pairs(heads: Int)
    /// Of planes of `height` rows each, which are of two frames by turns, those of the frame 0 or 1 and no others.
    case frame(Int, height: Int)

    /// Rows that must be read together.
    func block(of rows: Int) -> Int {
        switch self {
        case .asIs: 1
        case .pairs(let heads): max(rows / max(heads, 1), 1)
        case .frame(_, let height): max(2 * height, 1)
        }
    }

    /// How many of `rows` are stored.
    func stored(of rows: Int) -> Int { if case .frame = self { rows / 2 } else { rows } }

    /// The row, counted from the beginning of a block, that is stored in `place`.
    func source(_ place: Int, block: Int) -> Int {
        switch self {
        case .asIs: place
        case .pairs:
            place / block * block + place % block / 2 + place % 2 * (block / 2)
        case .frame(let number, let height): (place / height * 2 + number) * height + place % height
        }
    }
}
