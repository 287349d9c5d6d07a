import OmniAPI
import OmniEngine
import OmniWorkerAPI

/// A low-rank adapter as a backend of its own: the base model's, told with each request which adapter it is for.
final class AdapterBackend: Backend {
    private let module: LoRAModule
    private let base: any Backend

    init(_ module: LoRAModule, base: any Backend) { (self.module, self.base) = (module, base) }

    var status: BackendStatus {
        var status = base.status
        status.root = module.path
        // What else the base can do it does without adapters.
        status.capabilities = [.chat]
        (status.voices, status.clonesVoices) = ([], false)
        return status
    }

    /// They are the base's.
    var outstanding: Int { 0 }

    func send(_ request: UpstreamRequest) async throws -> UpstreamResponse {
        var request = request
        request.headers.append((WorkerProtocol.adapterHeader, module.headerValue))
        return try await base.send(request)
    }

    func sleep() async -> Bool { await base.sleep() }
    func wake() async throws -> Bool { try await base.wake() }
    func keep(_ keepAlive: KeepAlive) { base.keep(keepAlive) }
    func shutdown() async {}
}
