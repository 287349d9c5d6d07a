import CLlama
import Dispatch
import Synchronization

/// Reads tensors with several threads: straight into place where the bytes can stay as they are, by way of f32 where not.
struct WeightLoader: Sendable {
    // @unchecked: the tensor is only a place, and each piece of it is written by one thread.
    struct Job: @unchecked Sendable {
        let entry: WeightEntry
        let tensor: UnsafeMutablePointer<ggml_tensor>
        let type: ElementType
        let arrangement: WeightArrangement
        /// Lies in its file already.
        let isMapped: Bool
        /// Only some rows will be used: mapped pages come when they are.
        let isSparse: Bool
    }

    /// Rows of one tensor that one thread does at once.
    private struct Piece: Sendable {
        let job: Job
        let rows: Range<Int>
    }

    let isHost: Bool
    let threads: Int
    let progress: @Sendable (Int, Int) -> Void

    private static let pieceBytes = 16 << 20

    func run(_ jobs: [Job]) throws {
        for type in Set(jobs.map(\.type)) where type.isQuantized { ggml_quantize_init(type.raw) }
        let pieces = try jobs.flatMap { try split($0) }
        let total = jobs.reduce(0) { $0 + $1.entry.byteCount }
        let next = Atomic<Int>(0)
        let state = Mutex<(done: Int, failure: (any Error)?)>((0, nil))
        DispatchQueue.concurrentPerform(iterations: max(1, min(threads, pieces.count))) { _ in
            let scratch = Scratch()
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < pieces.count, state.withLock({ $0.failure == nil }) else { return }
                do {
                    try load(pieces[index], scratch)
                    let bytes = pieces[index].rows.count * (pieces[index].job.entry.byteCount / pieces[index].job.entry.rows)
                    let done = state.withLock { state in
                        state.done += bytes
                        return state.done
                    }
                    progress(done, total)
                } catch {
                    state.withLock { $0.failure = $0.failure ?? error }
                }
            }
        }
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    private func split(_ job: Job) throws -> [Piece] {
        let entry = job.entry
        guard let rowBytes = entry.encoding.rowBytes(entry.rowLength) else {
            throw TensorError.file(
                path: entry.file.path, reason: "tensor \(entry.name) has rows of \(entry.rowLength), which \(entry.encoding) cannot store")
        }
        // A tensor that is laid out anew is done in one piece, unless whole rows only change places.
        guard job.arrangement == .asIs || rowPlaces(job) != nil else { return [Piece(job: job, rows: 0..<entry.rows)] }
        let step = max(1, Self.pieceBytes / max(rowBytes, 1))
        return stride(from: 0, to: entry.rows, by: step).map { Piece(job: job, rows: $0..<min($0 + step, entry.rows)) }
    }

    /// For each row of the file its row in the tensor, where rows can be read straight into place.
    private func rowPlaces(_ job: Job) -> [Int]? {
        guard isHost, case .outputs(let order) = job.arrangement, job.entry.encoding == .native(job.type), order.count == job.entry.rows
        else { return nil }
        var places = order
        for (place, row) in order.enumerated() { places[row] = place }
        return places
    }

    private func load(_ piece: Piece, _ scratch: Scratch) throws {
        let (entry, type, arrangement) = (piece.job.entry, piece.job.type, piece.job.arrangement)
        let sourceRow = entry.byteCount / entry.rows
        let from = entry.offset + piece.rows.lowerBound * sourceRow
        let bytes = piece.rows.count * sourceRow
        let place = piece.rows.lowerBound * type.rowBytes(entry.rowLength)
        let isPlain = entry.encoding == .native(type) && arrangement == .asIs
        if let data = piece.job.tensor.pointee.data, isHost {
            if piece.job.isMapped {
                if !piece.job.isSparse { WeightFile.bringIn(data + place, bytes) }
                return
            }
            if isPlain {
                WeightFile.makeRoom(data + place, bytes)
                return try entry.file.read(at: from, into: UnsafeMutableRawBufferPointer(start: data + place, count: bytes))
            }
            if let places = rowPlaces(piece.job)?[piece.rows], let first = places.min(), let last = places.max() {
                // Rows move within their heads: few of these pages are another piece's.
                WeightFile.makeRoom(data + first * sourceRow, (last + 1 - first) * sourceRow)
                return try entry.file.read(at: from, into: places.map { data + $0 * sourceRow }, of: sourceRow)
            }
        }
        let source = scratch.source(bytes)
        try entry.file.read(at: from, into: UnsafeMutableRawBufferPointer(start: source, count: bytes))
        if isPlain { return ggml_backend_tensor_set(piece.job.tensor, source, place, bytes) }
        if arrangement.movesValues, entry.encoding == .native(type) {
            let size = ggml_nbytes(piece.job.tensor)
            let target = isHost ? piece.job.tensor.pointee.data : nil
            if let target { WeightFile.makeRoom(target, size) }
            let moved = target ?? scratch.values(size)
            arrangement.apply(source, bytes: bytes, width: type.rowBytes(type.blockSize) / type.blockSize, into: moved)
            if target == nil { ggml_backend_tensor_set(piece.job.tensor, moved, 0, size) }
            return
        }
        let count = piece.rows.count * entry.rowLength
        var values = scratch.values(count * MemoryLayout<Float>.size).assumingMemoryBound(to: Float.self)
        entry.encoding.decode(source, count, into: values)
        entry.scaling?.apply(to: values, rows: piece.rows, of: entry.rowLength)
        let (rowLength, size) = (Int(piece.job.tensor.pointee.ne.0), arrangement.count(count, entry.shape))
        if arrangement.movesValues {
            let moved = scratch.moved(size * MemoryLayout<Float>.size).assumingMemoryBound(to: Float.self)
            arrangement.apply(values, bytes: count * MemoryLayout<Float>.size, width: MemoryLayout<Float>.size, into: moved)
            values = moved
        }
        let rows = size / rowLength
        let stored = scratch.source(rows * type.rowBytes(rowLength))
        _ = ggml_quantize_chunk(type.raw, values, stored, 0, Int64(rows), Int64(rowLength), nil)
        ggml_backend_tensor_set(piece.job.tensor, stored, place, rows * type.rowBytes(rowLength))
    }
}

/// Memory that a thread uses for one piece after the other: fresh memory would be paid for page by page.
private final class Scratch {
    private var places = (0..<3).map { _ in (start: UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 64), count: 1) }

    deinit { places.forEach { $0.start.deallocate() } }

    func source(_ bytes: Int) -> UnsafeMutableRawPointer { place(0, bytes) }
    func values(_ bytes: Int) -> UnsafeMutableRawPointer { place(1, bytes) }
    func moved(_ bytes: Int) -> UnsafeMutableRawPointer { place(2, bytes) }

    /// At least `bytes`, whatever was there before.
    private func place(_ index: Int, _ bytes: Int) -> UnsafeMutableRawPointer {
        if places[index].count < bytes {
            places[index].start.deallocate()
            places[index] = (.allocate(byteCount: bytes, alignment: 64), bytes)
        }
        return places[index].start
    }
}
