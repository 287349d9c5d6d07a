import Foundation
import OmniAPI
import Synchronization
import Testing

@testable import OmniStore

@Suite("Stored responses")
struct ResponseStoreTests {
    private final class Clock: Sendable {
        let seconds = Mutex(1000.0)
        var now: Double { seconds.withLock { $0 } }
    }

    private func withStore(_ quota: ResponseQuota = ResponseQuota(), _ body: (SQLiteResponseStore, Clock, URL) async throws -> Void)
        async throws
    {
        let folder = FileManager.default.temporaryDirectory.appending(path: "responses-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let clock = Clock()
        try await body(SQLiteResponseStore(try Database(folder: folder), quota: quota) { clock.now }, clock, folder)
    }

    private func response(_ id: String, at time: Double = 1000) -> StoredResponse {
        StoredResponse(
            id: id, createdAt: time, response: ["id": .string(id)], input: [["role": "user"]],
            conversation: [["role": "user"], ["role": "assistant"]])
    }

    @Test("what is kept is there after the program has ended, until it is removed")
    func keeps() async throws {
        try await withStore { store, _, folder in
            try await store.keep(response("a"))
            let again = SQLiteResponseStore(try Database(folder: folder)) { 1000 }
            #expect(try await again.response("a") == response("a"))
            #expect(try await again.remove("a"))
            #expect(try await !again.remove("a"))
            #expect(try await store.response("a") == nil)
        }
    }

    @Test("after its lifetime it is gone")
    func lifetime() async throws {
        try await withStore { store, clock, _ in
            try await store.keep(response("a"))
            clock.seconds.withLock { $0 += 30 * 86400 + 1 }
            #expect(try await store.response("a") == nil)
        }
    }

    @Test("over the quota the oldest go, the newest stays whatever its size")
    func quota() async throws {
        var quota = ResponseQuota()
        quota.bytes = 170
        try await withStore(quota) { store, _, _ in
            for (place, id) in ["a", "b", "c"].enumerated() { try await store.keep(response(id, at: 1000 + Double(place))) }
            #expect(try await store.response("a") == nil)
            #expect(try await store.response("b") != nil)
            #expect(try await store.response("c") != nil)
            var large = response("d", at: 1003)
            large.response = .string(String(repeating: "x", count: 500))
            try await store.keep(large)
            #expect(try await store.response("c") == nil)
            #expect(try await store.response("d") != nil)
        }
    }
}
