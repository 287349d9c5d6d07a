import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import OmniAPI

/// Whether the server's port is free, and if not, who answers there.
struct PortCheck {
    let port: Int

    func run() async -> Finding {
        let subject = "port \(port)"
        guard (1...65535).contains(port) else { return .fault(subject, "no such port", remedy: "Ports are 1 to 65535.") }
        switch await answer() {
        case .nobody: return .fine(subject, "free")
        case .server(let version): return .fine(subject, "a server answers there already (version \(version))")
        case .other(let what):
            return .warning(subject, "taken by another program (\(what))", remedy: "End it, or start the server with --port.")
        }
    }

    enum Answer: Sendable, Equatable {
        case nobody
        case server(version: String)
        case other(String)
    }

    /// Asks for `/version`, which this server has, as vLLM's has.
    func answer() async -> Answer {
        do {
            let request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/version")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(3))
            var body = try await response.body.collect(upTo: 1 << 16)
            let bytes = body.readBytes(length: body.readableBytes) ?? []
            if let version = (try? JSONValue.parse(bytes))?["version"]?.stringValue { return .server(version: version) }
            return .other("it answers HTTP with \(response.status.code)")
        } catch let error as HTTPClientError where error == .connectTimeout || error == .deadlineExceeded || error == .readTimeout {
            return .other("it does not answer")
        } catch {
            // Only a refused connection says that nobody listens.
            return Self.isRefused(error) ? .nobody : .other("it speaks no HTTP")
        }
    }

    /// An address that is tried by itself fails with its own error, one of several addresses inside another.
    private static func isRefused(_ error: any Error) -> Bool {
        if let error = error as? NIOConnectionError { return error.connectionErrors.contains { isRefused($0.error) } }
        return (error as? IOError)?.errnoCode == ECONNREFUSED
    }
}
