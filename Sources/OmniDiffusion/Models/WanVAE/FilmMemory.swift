import OmniTensor

/// What a chunk of frames leaves for the next: for each convolution over time the last frames that it saw. So a film is
/// computed chunk by chunk with the same numbers as at once, and memory does not grow with its length.
final class FilmMemory {
    /// No chunk was computed yet.
    private(set) var isFirst = true
    /// nil when only measured: then each memory is an input of the graph, and counted with it.
    private let backend: Backend?
    private var tensors: [String: CarriedTensor] = [:]

    init(on backend: Backend) { self.backend = backend }

    /// Stands for the memory in the middle of a film, without any.
    static func measuring() -> FilmMemory { FilmMemory() }

    private init() {
        backend = nil
        isFirst = false
    }

    var byteCount: Int { tensors.values.reduce(0) { $0 + $1.tensor.byteCount } }

    func chunkIsDone() { isFirst = false }

    /// The last `frames` frames before `x` at `place`; nil where nothing was before, which counts as zeros.
    func past(_ graph: Graph, _ place: String, before x: Tensor, frames: Int) throws -> Tensor? {
        if backend == nil { return try graph.input([x[0], x[1], x[2], frames], []) }
        return tensors[place]?.tensor
    }

    /// Keeps the last `frames` frames of `past` and `x` for the next chunk, once `result` is computed from them.
    func keep(_ graph: Graph, _ place: String, _ x: Tensor, past: Tensor?, frames: Int, after result: Tensor) throws {
        let target = try past ?? make(place, [x[0], x[1], x[2], frames])
        let new = min(frames, x[3])
        if past != nil, new < frames {
            // One at a time, so that none is overwritten before it was moved.
            for frame in 0..<frames - new {
                try graph.carry(graph.slice(target, axis: 3, frame + new..<frame + new + 1), into: graph.slice(target, axis: 3, frame..<frame + 1), after: result)
            }
        }
        let last = try graph.slice(x, axis: 3, x[3] - new..<x[3])
        try graph.carry(last, into: graph.slice(target, axis: 3, frames - new..<frames), after: result)
    }

    private func make(_ place: String, _ shape: [Int]) throws -> Tensor {
        guard let backend else { throw TensorError.backend("a film's memory was measured and computed at once") }
        let made = try CarriedTensor(shape, on: backend)
        tensors[place] = made
        return made.tensor
    }
}
