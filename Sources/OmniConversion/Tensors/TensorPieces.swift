import CLlama
import OmniTensor

/// A part of a tensor that is read, brought into its stored form and written in one go.
struct TensorPiece: Sendable {
    let tensor: TensorPlan
    let entry: WeightEntry
    /// Rows of the entry.
    let rows: Range<Int>
    let order: RowOrder
    let plus: Float
    /// Bytes from the tensor's start.
    let place: Int

    /// The pieces of a tensor, of about `bytes` each.
    static func pieces(of tensor: TensorPlan, bytes: Int = 4 << 20) -> [TensorPiece] {
        guard case .weights(let slices, let order, let plus) = tensor.content else { return [] }
        var pieces: [TensorPiece] = [], place = 0
        for slice in slices {
            let width = slice.entry.sliceLength * tensor.type.width, rows = slice.rows
            let block = order.block(of: rows.count)
            let step = max(bytes / max(width * block, 1), 1) * block
            for start in stride(from: rows.lowerBound, to: rows.upperBound, by: step) {
                let some = start..<min(start + step, rows.upperBound)
                pieces.append(TensorPiece(tensor: tensor, entry: slice.entry, rows: some, order: order, plus: plus, place: place))
                place += order.stored(of: some.count) * width
            }
        }
        return pieces
    }

    /// The bytes as they are stored. Throws ``TensorError`` where the file ends early.
    func stored(_ scratch: inout PieceScratch) throws -> UnsafeRawBufferPointer {
        let length = entry.sliceLength, count = rows.count * length
        let sourceRow = entry.byteCount / max(entry.sliceCount, 1)
        let source = scratch.source(rows.count * sourceRow)
        try entry.file.read(at: entry.offset + rows.lowerBound * sourceRow, into: source)
        let isPlain = entry.encoding == tensor.type.encoding && plus == 0
        if isPlain, order == .asIs { return UnsafeRawBufferPointer(source) }
        if isPlain { return permuted(source, width: sourceRow, into: scratch.target(source.count)) }
        let values = scratch.values(count)
        guard let start = source.baseAddress, let floats = values.baseAddress else { return UnsafeRawBufferPointer(source) }
        entry.encoding.decode(start, count, into: floats)
        if plus != 0 { for index in values.indices { values[index] += plus } }
        let target = scratch.target(count * tensor.type.width)
        switch tensor.type {
        case .f32: target.copyMemory(from: UnsafeRawBufferPointer(values))
        case .f16: ggml_fp32_to_fp16_row(floats, target.baseAddress?.assumingMemoryBound(to: ggml_fp16_t.self), Int64(count))
        case .bf16: ggml_fp32_to_bf16_row(floats, target.baseAddress?.assumingMemoryBound(to: ggml_bf16_t.self), Int64(count))
        }
        if order == .asIs { return UnsafeRawBufferPointer(target) }
        return permuted(target, width: length * tensor.type.width, into: scratch.source(target.count))
    }

    private func permuted(_ source: UnsafeMutableRawBufferPointer, width: Int, into target: UnsafeMutableRawBufferPointer)
        -> UnsafeRawBufferPointer
    {
        guard let from = source.baseAddress, let to = target.baseAddress else { return UnsafeRawBufferPointer(target) }
        // Pieces begin at the first row of a block.
        let block = order.block(of: entry.sliceCount)
        let count = order.stored(of: rows.count)
        for row in 0..<count {
            (to + row * width).copyMemory(from: from + order.source(row, block: block) * width, byteCount: width)
        }
        return UnsafeRawBufferPointer(start: to, count: count * width)
    }
}

/// Memory that one thread uses for one piece after the other.
struct PieceScratch: ~Copyable {
    private var places = (0..<3).map { _ in UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 64) }

    deinit { places.forEach { $0.deallocate() } }

    mutating func source(_ bytes: Int) -> UnsafeMutableRawBufferPointer { place(0, bytes) }
    mutating func target(_ bytes: Int) -> UnsafeMutableRawBufferPointer { place(1, bytes) }
    mutating func values(_ count: Int) -> UnsafeMutableBufferPointer<Float> { place(2, count * 4).assumingMemoryBound(to: Float.self) }

    private mutating func place(_ index: Int, _ bytes: Int) -> UnsafeMutableRawBufferPointer {
        if places[index].count < bytes {
            places[index].deallocate()
            places[index] = .allocate(byteCount: bytes, alignment: 64)
        }
        return UnsafeMutableRawBufferPointer(rebasing: places[index][..<bytes])
    }
}
