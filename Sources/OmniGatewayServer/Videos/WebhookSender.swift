import Crypto
import Foundation
import Logging
import OmniAPI
import OmniHTTP
import OmniStore

/// What calls a webhook.
public protocol WebhookPoster: Sendable {
    /// Posts to `address`; the status of the answer. Throws when there is none.
    func post(_ address: String, headers: [(String, String)], body: [UInt8]) async throws -> Int
}

extension MediaURLFetcher: WebhookPoster {}

/// Tells the `webhook_url` of each job when it is over, signed as the Standard Webhooks specification has it, which OpenAI's
/// clients verify: `webhook-id`, `webhook-timestamp`, and `webhook-signature: v1,BASE64` with the HMAC-SHA256 of
/// `id.timestamp.body`.
///
/// What was not taken with a status of 2xx is sent again, over restarts too, until the attempts are used up.
public struct WebhookSender: Sendable {
    /// Pauses after each failed attempt, seconds; about a day in all.
    static let pauses: [Double] = [1, 5, 30, 120, 600, 3600, 14400, 64800]

    let store: any JobStore
    let poster: any WebhookPoster
    let key: [UInt8]
    let logger: Logger

    /// - Parameter secret: `whsec_` and the key in base64, or any other text, whose bytes are the key.
    public init(store: any JobStore, poster: any WebhookPoster, secret: String, logger: Logger) {
        self.store = store
        self.poster = poster
        self.logger = logger
        let encoded = secret.hasPrefix("whsec_") ? String(secret.dropFirst(6)) : ""
        key = Data(base64Encoded: encoded).flatMap { $0.isEmpty ? nil : [UInt8]($0) } ?? Array(secret.utf8)
    }

    /// Calls that are made at a time: a receiver that is slow takes one of them, and the others go on.
    private static let mostCalls = 16

    /// Sends what is due until the task is cancelled.
    public func run() async {
        await withTaskGroup(of: String?.self) { group in
            var calling: Set<String> = []
            // Looking costs one read of an index.
            func rest() {
                group.addTask {
                    try? await Task.sleep(for: .seconds(1)); return nil
                }
            }
            rest()
            while !Task.isCancelled, let ended = await group.next() {
                if let ended { calling.remove(ended) } else { rest() }
                // Those under way are due, too, until they are noted as called.
                let due = (try? await store.dueWebhooks(limit: Self.mostCalls + calling.count).due) ?? []
                for job in due where calling.count < Self.mostCalls && calling.insert(job.id).inserted {
                    group.addTask {
                        await send(job)
                        return job.id
                    }
                }
            }
            group.cancelAll()
        }
    }

    private func send(_ job: StoredJob) async {
        let fault = await call(job)
        let pause = Self.pauses.indices.contains(job.webhookAttempts) ? Self.pauses[job.webhookAttempts] : nil
        if let fault {
            logger.log(
                level: pause == nil ? .error : .warning, "webhook not delivered",
                metadata: [
                    "job": .string(job.id), "reason": .string(fault), "attempt": "\(job.webhookAttempts + 1)",
                    "again_in_s": "\(pause.map { "\(Int($0))" } ?? "never")",
                ])
        }
        do {
            _ = try await store.change(job.id, .webhookCalled(retryAfter: fault == nil ? nil : pause))
        } catch {
            // It stays due: not at once, or a full disk would have the receiver called without a pause.
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// What went wrong, if anything.
    private func call(_ job: StoredJob) async -> String? {
        guard let url = job.request.webhookURL else { return nil }
        let body = VideoWebhookEvent(job: VideoJob(job), createdAt: Int(job.completedAt ?? job.createdAt)).json.jsonBytes
        do {
            let status = try await poster.post(
                url, headers: headers(id: "evt_\(job.id)", at: Int(Date().timeIntervalSince1970), body), body: body)
            return (200..<300).contains(status) ? nil : "it answered \(status)"
        } catch {
            return (error as? APIError)?.message ?? "\(error)"
        }
    }

    func headers(id: String, at seconds: Int, _ body: [UInt8]) -> [(String, String)] {
        let signed = Array("\(id).\(seconds).".utf8) + body
        let code = HMAC<SHA256>.authenticationCode(for: signed, using: SymmetricKey(data: key))
        return [
            ("Content-Type", "application/json"), ("webhook-id", id), ("webhook-timestamp", String(seconds)),
            ("webhook-signature", "v1,\(Data(code).base64EncodedString())"),
        ]
    }
}
