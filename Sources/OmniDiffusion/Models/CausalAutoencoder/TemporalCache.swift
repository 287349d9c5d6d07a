import OmniTensor

/// What a chunk of frames leaves for the next: for each convolution over time the last frames that it saw. So a video is
/// computed chunk by chunk with the same numbers as at once, and memory does not grow with its length.
final class TemporalCache {
    /// No chunk was computed yet.
    private(set) var isFirst = true
    /// Whether more may follow.
    private let keeps: Bool
    /// nil when only measured: then each memory is an input of the graph, and counted with it.
    private let backend: Backend?
    private var rings: [String: FrameRing] = [:]

    init(on backend: Backend) { (self.backend, keeps) = (backend, true) }

    /// Stands for the memory in the middle of a video, without any.
    static func measuring() -> TemporalCache { TemporalCache(isFirst: false, keeps: true) }

    /// For a picture: nothing is before it, and nothing is kept, since no frame follows.
    static func single() -> TemporalCache { TemporalCache(isFirst: true, keeps: false) }

    private init(isFirst: Bool, keeps: Bool) {
        backend = nil
        (self.isFirst, self.keeps) = (isFirst, keeps)
    }

    var byteCount: Int { rings.values.reduce(0) { $0 + $1.frames.byteCount } }

    func chunkIsDone() { isFirst = false }

    /// The last `frames` frames before `x` at `place`; nil where nothing was before, which counts as zeros.
    func past(_ graph: Graph, _ place: String, before x: Tensor, frames: Int) throws -> FrameRing? {
        guard keeps else { return nil }
        if backend == nil, rings[place] == nil { rings[place] = FrameRing(try graph.placeholder([x[0], x[1], x[2], frames], x.type)) }
        return rings[place]
    }

    /// Keeps the last `frames` frames of the past and `x` for what comes next, once `result` is computed from them.
    func keep(_ graph: Graph, _ place: String, _ x: Tensor, frames: Int, after result: Tensor) throws {
        guard keeps else { return }
        let new = min(frames, x[3])
        // A new ring is zeros: all that is missing before the first frame.
        var ring = try rings[place] ?? FrameRing(make([x[0], x[1], x[2], frames], x.type))
        for frame in 0..<new {
            let slot = (ring.oldest + frame) % frames
            let last = try graph.slice(x, axis: 3, x[3] - new + frame..<x[3] - new + frame + 1)
            try graph.carry(last, into: graph.slice(ring.frames, axis: 3, slot..<slot + 1), after: result)
        }
        ring.oldest = (ring.oldest + new) % frames
        rings[place] = ring
    }

    private func make(_ shape: [Int], _ type: ElementType) throws -> Tensor {
        guard let backend else { throw TensorError.backend("a video's memory was measured and computed at once") }
        return try PersistentTensor(shape, type: type, on: backend).tensor
    }
}
