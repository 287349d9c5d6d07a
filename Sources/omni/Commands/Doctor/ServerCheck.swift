import AsyncHTTPClient
import Foundation
import NIOCore
import OmniAPI

/// What a server that runs already says of its models: those that cannot be served, and those on plain kernels.
struct ServerCheck {
    let port: Int

    /// Nothing where nobody answers, or somebody else.
    func run() async -> [Finding] {
        guard
            let response = try? await HTTPClient.shared.execute(
                HTTPClientRequest(url: "http://127.0.0.1:\(port)/health"), timeout: .seconds(3)),
            var body = try? await response.body.collect(upTo: 1 << 20),
            let json = try? JSONValue.parse(body.readBytes(length: body.readableBytes) ?? [])
        else { return [] }
        return Self.findings(json)
    }

    static func findings(_ health: JSONValue) -> [Finding] {
        guard let reply = try? HealthReply(json: health) else { return [] }
        let failed = (reply.faults ?? [:]).sorted { $0.key < $1.key }.map { model, reason in
            Finding.fault(
                "model \(model)", reason,
                remedy:
                    "Once that is mended: POST /v1/omni/wakeup with {\"stage_ids\": [], \"model\": \"\(model)\"}, or ask it again after a minute."
            )
        }
        let careful = (reply.safeMode ?? [:]).sorted { $0.key < $1.key }.map { model, reason in
            Finding.warning(
                "model \(model)", "runs in safe mode, on plain kernels, and slower for it. \(reason)",
                remedy: "omni doctor --kernels finds the kernel; please report it. A server that is started anew tries all kernels again.")
        }
        return failed + careful
    }
}
