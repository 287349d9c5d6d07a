import NIOCore
import OmniAPI
import OmniWorkerAPI

/// The way to a worker that runs: its socket, or a script of a test's.
protocol WorkerLink: Sendable {
    func send(_ request: UpstreamRequest) async throws(UpstreamFailure) -> UpstreamResponse
    /// What it says about itself; nil when it does not answer.
    func status() async -> WorkerAccount?
}

/// What a worker says about itself, as far as it can be understood.
enum WorkerAccount: Sendable, Equatable {
    case status(WorkerStatus)
    /// It speaks another version of the protocol.
    case foreign(version: Int)

    /// nil for what is no status at all.
    init?(_ text: some Sequence<UInt8>) {
        guard let json = try? JSONValue.parse(Array(text)) else { return nil }
        let version = WorkerStatus.version(of: json)
        guard version == WorkerProtocol.version else {
            self = .foreign(version: version)
            return
        }
        guard let status = try? WorkerStatus(json: json) else { return nil }
        self = .status(status)
    }
}

struct SocketLink: WorkerLink {
    let client: UpstreamClient
    let address: String

    init(client: UpstreamClient, socket: String) {
        self.client = client
        address = UpstreamClient.socketURL(socket)
    }

    func send(_ request: UpstreamRequest) async throws(UpstreamFailure) -> UpstreamResponse { try await client.send(request, to: address) }

    func status() async -> WorkerAccount? {
        let request = UpstreamRequest(method: "GET", path: WorkerProtocol.statusPath, headers: [])
        guard let reply = try? await client.send(request, to: address, headTimeout: .seconds(10)),
            let body = try? await reply.body.collect(upTo: 1 << 20)
        else { return nil }
        return WorkerAccount(body.readableBytesView)
    }
}
