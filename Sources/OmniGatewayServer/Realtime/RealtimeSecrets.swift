import Foundation
import OmniAPI
import OmniHTTP
import Synchronization

/// Keys for one client and a short time, with the settings that their sessions begin with. They live as long as the server.
final class RealtimeSecrets: Sendable {
    private struct Secret {
        var expiry: ContinuousClock.Instant
        var settings: JSONObject
        /// The name of the key that asked for it; nil where the server asks for none.
        var owner: String?
    }

    /// How every key begins.
    static let prefix = "ek_"
    /// More are refused.
    private static let most = 10_000

    private let secrets = Mutex<[String: Secret]>([:])

    /// A new key. Throws 503 when there are too many.
    func make(_ settings: JSONObject, seconds: Int, owner: String? = nil, now: ContinuousClock.Instant = .now) throws -> String {
        let key = Self.prefix + RequestID.make(digits: 48)
        try secrets.withLock { secrets in
            secrets = secrets.filter { $0.value.expiry > now }
            guard secrets.count < Self.most else {
                throw APIError(.unavailable, "There are \(Self.most) keys already.", remedy: "Wait until some expire.", retryAfter: 60)
            }
            secrets[key] = Secret(expiry: now + .seconds(seconds), settings: settings, owner: owner)
        }
        return key
    }

    /// The settings that come with a key; nil for one that is unknown or over.
    func settings(of key: String, now: ContinuousClock.Instant = .now) -> JSONObject? {
        secrets.withLock { $0[key].flatMap { $0.expiry > now ? $0.settings : nil } }
    }

    /// The name of the server's key that asked for a key, and pays for what is done with it.
    func owner(of key: String, now: ContinuousClock.Instant = .now) -> String? {
        secrets.withLock { $0[key].flatMap { $0.expiry > now ? $0.owner : nil } }
    }
}
