import CLlama
import OmniEngine

/// What may interrupt a graph while it is computed: requests that were given up, and the other holders of the compute lane.
///
/// Unchecked: everything but the tokens is touched only by the thread that computes. ggml asks `shouldAbort` from that
/// thread's team while it stands inside `llama_decode`, and then only the array of tokens, which does not change there, is read.
package final class AbortHandle: @unchecked Sendable {
    private var lane: SlicedLane
    /// When all of these are cancelled the graph is abandoned.
    private var owners: [CancellationToken] = []
    private var slicing = false
    /// The last graph was stopped between two nodes, where ggml does not say so: its results are worth nothing.
    package private(set) var wasAborted = false

    package init(lane: any ComputeLane, slice: Duration = .milliseconds(40)) { self.lane = SlicedLane(lane, slice: slice) }

    /// Computes while holding the lane. `slicing`: give others a turn between layers, for graphs that take long.
    package func run<Result>(for owners: [CancellationToken], slicing: Bool, _ body: () throws -> Result) rethrows -> Result {
        self.owners = owners
        self.slicing = slicing
        wasAborted = false
        lane.acquire()
        LlamaLog.computes(under: self)
        defer {
            LlamaLog.computes(under: nil)
            lane.release()
            self.owners = []
        }
        return try body()
    }

    package func shouldAbort() -> Bool { shouldAbort(for: owners) }

    package func shouldAbort(for owners: [CancellationToken]) -> Bool { !owners.isEmpty && owners.allSatisfy(\.isCancelled) }

    /// ggml's scheduler asks before each node whether it should stop after it, then tells when it has. Stops at the ends of
    /// layers only: every stop costs a start of the thread team.
    private func node(_ tensor: UnsafeMutablePointer<ggml_tensor>, asks: Bool) -> Bool {
        if asks { return slicing && Self.endsLayer(tensor) }
        if shouldAbort() {
            wasAborted = true
            return false
        }
        lane.giveTurn()
        return true
    }

    /// What ggml's scheduler calls around each node, with ``pointer`` as its data.
    package static let watch: ggml_backend_sched_eval_callback = { tensor, asks, data in
        guard let tensor, let data else { return true }
        return Unmanaged<AbortHandle>.fromOpaque(data).takeUnretainedValue().node(tensor, asks: asks)
    }

    /// The abortHandle as C sees it; whoever hands it over keeps the abortHandle alive.
    package var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    /// llama.cpp names the output of layer n `l_out-n`; the vision and audio encoders use `layer_out`, and the stages of the
    /// decoders that make sound begin with `wav_` and `seanet_`.
    private static func endsLayer(_ tensor: UnsafeMutablePointer<ggml_tensor>) -> Bool {
        withUnsafeBytes(of: &tensor.pointee.name) { name in
            ["l_out", "layer_out", "wav_", "seanet_"].contains { name.starts(with: $0.utf8) }
        }
    }
}
