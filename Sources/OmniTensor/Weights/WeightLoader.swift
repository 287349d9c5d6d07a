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
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < pieces.count, state.withLock({ $0.failure == nil }) else { return }
                do {
                    try load(pieces[index])
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
            throw TensorError.file(path: entry.file.path, reason: "tensor \(entry.name) has rows of \(entry.rowLength), which \(entry.encoding) cannot store")
        }
        // A tensor that is laid out anew is done in one piece.
        if job.arrangement != .asIs { return [Piece(job: job, rows: 0..<entry.rows)] }
        let step = max(1, Self.pieceBytes / max(rowBytes, 1))
        return stride(from: 0, to: entry.rows, by: step).map { Piece(job: job, rows: $0..<min($0 + step, entry.rows)) }
    }

    private func load(_ piece: Piece) throws {
        let (entry, type) = (piece.job.entry, piece.job.type)
        let sourceRow = entry.byteCount / entry.rows
        let from = entry.offset + piece.rows.lowerBound * sourceRow
        let bytes = piece.rows.count * sourceRow
        let place = piece.rows.lowerBound * type.rowBytes(entry.rowLength)
        let plain = entry.encoding == .native(type) && piece.job.arrangement == .asIs
        if piece.job.isMapped, let data = piece.job.tensor.pointee.data {
            if !piece.job.isSparse { Self.touch(data + place, bytes) }
            return
        }
        if plain, isHost, let data = piece.job.tensor.pointee.data {
            try entry.file.read(at: from, into: UnsafeMutableRawBufferPointer(start: data + place, count: bytes))
            return
        }
        let source = try entry.file.read(at: from, count: bytes)
        if plain {
            ggml_backend_tensor_set(piece.job.tensor, source, place, bytes)
            return
        }
        if case .outputs(let order) = piece.job.arrangement, entry.encoding == .native(type) {
            let target = Self.reordered(source, order)
            ggml_backend_tensor_set(piece.job.tensor, target, place, target.count)
            return
        }
        var values = [Float](repeating: 0, count: piece.rows.count * entry.rowLength)
        source.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return }
            entry.encoding.decode(base, values.count, into: &values)
        }
        values = piece.job.arrangement.apply(values, entry.shape)
        let rowLength = Int(piece.job.tensor.pointee.ne.0)
        let rows = values.count / rowLength
        var target = [UInt8](repeating: 0, count: rows * type.rowBytes(rowLength))
        _ = ggml_quantize_chunk(type.raw, values, &target, 0, Int64(rows), Int64(rowLength), nil)
        ggml_backend_tensor_set(piece.job.tensor, target, place, target.count)
    }

    /// Brings mapped pages into memory now, so that the first request need not wait for the disk.
    private static func touch(_ start: UnsafeRawPointer, _ count: Int) {
        var sum: UInt8 = 0
        for offset in stride(from: 0, to: count, by: 4096) { sum ^= start.load(fromByteOffset: offset, as: UInt8.self) }
        touched.store(sum, ordering: .relaxed)
    }

    /// Where the bytes that were touched go, so that reading them is not left out.
    private static let touched = Atomic<UInt8>(0)

    /// Whole outputs in another order, whatever their elements are.
    private static func reordered(_ source: [UInt8], _ order: [Int]) -> [UInt8] {
        let length = source.count / order.count
        return [UInt8](unsafeUninitializedCapacity: source.count) { target, count in
            source.withUnsafeBytes { source in
                guard let from = source.baseAddress, let to = target.baseAddress.map(UnsafeMutableRawPointer.init) else { return }
                for (place, output) in order.enumerated() {
                    to.advanced(by: place * length).copyMemory(from: from.advanced(by: output * length), byteCount: length)
                }
            }
            count = source.count
        }
    }
}
