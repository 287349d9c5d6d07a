import Foundation
import NIOCore
import NIOPosix
import OmniAPI
import OmniEngine
import Synchronization
import Testing

@testable import OmniGateway

/// A backend whose state a test sets, and that can be held while it tells it.
private final class StandInBackend: Backend {
    private let state = Mutex(BackendStatus(state: .loading(0), root: "/model"))
    /// Called with the status that has been looked up, before it is told.
    let onLook = Mutex<(@Sendable () -> Void)?>(nil)

    var status: BackendStatus {
        let found = state.withLock { $0 }
        onLook.withLock { $0 }?()
        return found
    }

    func set(_ change: (inout BackendStatus) -> Void) { state.withLock { change(&$0) } }

    var outstanding: Int { 0 }
    func send(_ request: UpstreamRequest) async throws -> UpstreamResponse { throw APIError(.unavailable, "not here") }
    func sleep() async -> Bool { false }
    func wake() async throws -> Bool { false }
    func shutdown() async {}
}

@Suite("The gateway's health", .timeLimit(.minutes(10)))
struct GatewayTests {
    private func gateway(_ backend: StandInBackend) throws -> (Gateway, UpstreamClient) {
        let client = UpstreamClient(group: .singletonMultiThreadedEventLoopGroup)
        return (Gateway(catalogue: try Catalogue([CatalogueEntry(id: "ann", kind: .text, backend: backend)]), client: client), client)
    }

    private func object(_ gateway: Gateway) throws -> JSONValue { try JSONValue.parse(Array(gateway.currentHealth.body.readableBytesView)) }

    @Test("of two reports at once the later one stays")
    func race() async throws {
        let backend = StandInBackend()
        let (gateway, client) = try gateway(backend)
        let (isHeld, other) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let looks = Mutex(0)
        backend.onLook.withLock {
            $0 = {
                // The first to look is held until the second report is done; one that waits its turn never is before.
                let count = looks.withLock {
                    $0 += 1; return $0
                }
                if count == 1 {
                    isHeld.signal()
                    _ = other.wait(timeout: .now() + 0.3)
                }
            }
        }
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            gateway.refreshHealth(); done.signal()
        }
        await offThePool { isHeld.wait() }
        backend.set { $0.state = .ready }
        Thread.detachNewThread {
            gateway.refreshHealth(); other.signal(); done.signal()
        }
        await offThePool {
            done.wait(); done.wait()
        }
        #expect(gateway.currentHealth.readyStatus == 200)
        #expect(try object(gateway)["models"]?["ann"]?.stringValue == "ready")
        await client.shutdown()
    }

    @Test("safe mode and failures are told with their reasons")
    func reasons() async throws {
        let backend = StandInBackend()
        let (gateway, client) = try gateway(backend)
        #expect(try object(gateway)["safe_mode"] == nil)
        backend.set {
            $0.state = .ready; $0.safeMode = "It died."
        }
        gateway.refreshHealth()
        #expect(try object(gateway)["safe_mode"]?["ann"]?.stringValue == "It died.")
        #expect(gateway.currentHealth.status == 200)
        backend.set { $0.state = .failed(reason: "No memory.") }
        gateway.refreshHealth()
        #expect(try object(gateway)["faults"]?["ann"]?.stringValue == "No memory.")
        #expect(gateway.currentHealth.status == 503)
        await client.shutdown()
    }

    @Test("one that drains is 503 whatever its models do")
    func draining() async throws {
        let backend = StandInBackend()
        let (gateway, client) = try gateway(backend)
        backend.set { $0.state = .ready }
        gateway.beginDraining()
        #expect(gateway.currentHealth.status == 503)
        #expect(try object(gateway)["status"]?.stringValue == "draining")
        await client.shutdown()
    }

    private func offThePool(_ body: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                body(); continuation.resume()
            }
        }
    }
}
