import Foundation
import OmniAPI
import Synchronization
import Testing

@testable import OmniAccess

/// Time that stands until it is moved.
private final class HandClock: Sendable {
    let now = Mutex(Duration.zero)
    var clock: KeyStore.Clock {
        KeyStore.Clock(now: { self.now.withLock { $0 } }, date: { Date(timeIntervalSince1970: self.now.withLock { $0 } / .seconds(1)) })
    }
}

private func key(_ name: String, _ secret: String, expiry: Date? = nil, scope: KeyScope = KeyScope(), limits: KeyLimits = KeyLimits())
    -> APIKey
{
    APIKey(name: name, digest: APIKey.digest(of: secret), expiry: expiry, scope: scope, limits: limits)
}

@Suite("The keys of a server")
struct KeyStoreTests {
    private func code(_ work: () throws -> Void) -> APIError.Code? {
        do { try work() } catch { return (error as? APIError)?.code }
        return nil
    }

    @Test("a key is known by itself or by its SHA-256") func digests() {
        let digest = APIKey.digest(ofConfigured: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
        #expect(digest == APIKey.digest(of: "test") && digest == APIKey.digest(ofConfigured: "test"))
        for wrong in [
            "", "sha256:", "sha256:12", "sha256:" + String(repeating: "g", count: 64), "sha256:" + String(repeating: "a", count: 63) + "é",
        ] {
            #expect(APIKey.digest(ofConfigured: wrong) == nil, "\(wrong)")
        }
    }

    @Test("unknown, missing and expired keys are 401") func unauthorized() throws {
        let hand = HandClock()
        let store = try KeyStore([key("ann", "a", expiry: Date(timeIntervalSince1970: 60))], clock: hand.clock)
        #expect(try store.key("a").name == "ann")
        #expect(code { _ = try store.key("b") } == .invalidAPIKey)
        #expect(code { _ = try store.key(nil) } == .invalidAPIKey)
        hand.now.withLock { $0 = .seconds(60) }
        #expect(code { _ = try store.key("a") } == .invalidAPIKey)
        #expect(code { _ = try store.key(named: "ann") } == .invalidAPIKey)
    }

    @Test("plain keys fail as the peer's do") func plain() throws {
        let store = try KeyStore([APIKey(name: "api-key-1", digest: APIKey.digest(of: "a"), isOwners: true)])
        #expect(code { _ = try store.key("b") } == .unauthorized)
        #expect(store.isRequired && !store.hasNamedKeys)
    }

    @Test("a store that reads a file is locked also while the file has no keys") func empty() throws {
        let store = try KeyStore(readsFile: true)
        #expect(store.isRequired && code { _ = try store.key("") } == .invalidAPIKey)
        #expect(try !KeyStore().isRequired)
    }

    @Test("one name or one secret for two keys is refused, and changes nothing") func clashes() throws {
        let store = try KeyStore([key("ann", "a")], readsFile: true)
        try store.replaceFileKeys([key("ben", "b")])
        #expect(code { try store.replaceFileKeys([key("ann", "c")]) } == .invalidRequest)
        #expect(code { try store.replaceFileKeys([key("cid", "a")]) } == .invalidRequest)
        #expect(try store.key("b").name == "ben")
    }

    @Test("a key that is taken out opens nothing, and what runs ends; a key that comes back has used what it had") func replacing() throws {
        let hand = HandClock(), limits = KeyLimits(requestsPerMinute: 1)
        let store = try KeyStore(readsFile: true, clock: hand.clock)
        try store.replaceFileKeys([key("ann", "a", limits: limits)])
        let lease = try store.begin(try store.key("a"))
        try store.replaceFileKeys([])
        #expect(code { _ = try store.key("a") } == .invalidAPIKey)
        lease.end()
        #expect(store.usage.map(\.name) == ["ann"] && store.usage[0].usage.running == 0)
        try store.replaceFileKeys([key("ann", "new", limits: limits)])
        #expect(code { _ = try store.begin(try store.key("new")) } == .rateLimited)
        hand.now.withLock { $0 = .seconds(60) }
        #expect(code { _ = try store.begin(try store.key("new")) } == nil)
    }

    @Test("a 429 says when to come back, in whole seconds") func retryAfter() throws {
        let hand = HandClock()
        let store = try KeyStore([key("ann", "a", limits: KeyLimits(requestsPerMinute: 8))], clock: hand.clock)
        let ann = try store.key("a")
        for _ in 0..<8 { _ = try store.begin(ann) }
        do {
            _ = try store.begin(ann)
            Issue.record("let in")
        } catch let error as APIError {
            #expect(error.retryAfter == 8 && error.status == 429 && error.message.contains("8 requests a minute"))
        }
        #expect(!store.wouldAdmit(ann))
    }

    @Test("a lease ends once, by itself too; reading is not counted") func leases() throws {
        let store = try KeyStore([key("ann", "a", limits: KeyLimits(concurrentRequests: 1))])
        let ann = try store.key("a")
        do {
            let lease = try store.begin(ann)
            #expect(code { _ = try store.begin(ann) } == .rateLimited)
            #expect(code { _ = try store.begin(ann, isCounted: false) } == nil)
            lease.end()
            lease.end()
            #expect(store.usage[0].usage.running == 0)
        }
        _ = try store.begin(ann)
        #expect(store.usage[0].usage.running == 0 && store.usage[0].usage.requests == 2)
    }

    @Test("a debt ends a socket's answers, not its other work") func sockets() throws {
        let hand = HandClock()
        let store = try KeyStore([key("ann", "a", limits: KeyLimits(tokensPerMinute: 60))], clock: hand.clock)
        let socket = try store.begin(try store.key("a"), isSocket: true), request = try store.begin(try store.key("a"))
        socket.charge(UsedTokens(total: 90))
        #expect(code { try socket.checkDebt() } == .rateLimited)
        #expect(code { try request.checkDebt() } == nil, "a request was let in as a whole")
        hand.now.withLock { $0 = .seconds(30) }
        #expect(code { try socket.checkDebt() } == nil)
    }

    @Test("one key's flood takes nothing from another") func fairness() throws {
        let store = try KeyStore([
            key("loud", "l", limits: KeyLimits(requestsPerMinute: 5, concurrentRequests: 2)),
            key("calm", "c", limits: KeyLimits(concurrentRequests: 1)),
        ])
        let loud = try store.key("l"), calm = try store.key("c")
        let held = (0..<100).compactMap { _ in try? store.begin(loud) }
        #expect(held.count == 2)
        #expect(code { _ = try store.begin(calm) } == nil)
        withExtendedLifetime(held) {}
    }
}

@Suite("What a key may do")
struct KeyScopeTests {
    @Test(
        "routes are whole paths, or all below one",
        arguments: [
            ("/v1/models", true), ("//v1//models/", true), ("/v1/models/x", false), ("/v1/audio/speech", true),
            ("/v1/audio/voices/x", true),
            ("/v1/audio", false), ("/v1/audios/speech", false), ("/v1/chat/completions", false), ("/v1/Models", false),
        ])
    func routes(path: String, isAllowed: Bool) {
        #expect(KeyScope(routes: ["/v1/models", "/v1/audio/*"]).allows(path: path) == isAllowed)
        #expect(KeyScope().allows(path: path) && !KeyScope(routes: []).allows(path: path))
    }

    @Test("models go by any of their names") func models() {
        let scope = KeyScope(models: ["gpt-4o"])
        #expect(scope.allows(model: ["smol", "gpt-4o"]) && !scope.allows(model: ["smol"]) && KeyScope().allows(model: ["smol"]))
    }

    @Test("403 names what the key may use") func refusal() throws {
        let store = try KeyStore([key("ann", "a", scope: KeyScope(models: ["one", "two"]))])
        let lease = try store.begin(try store.key("a"))
        try lease.check(model: ["two"])
        let error = #expect(throws: APIError.self) { try lease.check(model: ["three"]) }
        #expect(error?.code == .permissionDenied && error?.fullMessage.contains("one, two") == true)
    }
}
