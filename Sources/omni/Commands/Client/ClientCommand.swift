import ArgumentParser
import Dispatch
import Foundation
import OmniClient
import Synchronization

/// A command that talks to a server.
protocol ClientCommand: AsyncParsableCommand, Sendable {
    var connection: ConnectionFlags { get }
    func perform(_ client: OmniClient) async throws
}

extension ClientCommand {
    func run() async throws {
        let client = connection.client
        do {
            try await Interrupt.cancels { try await perform(client) }
        } catch let code as ExitCode {
            throw code
        } catch {
            throw ClientExit.report(error, json: connection.json, client: client)
        }
    }
}

extension ParsableArguments {
    /// An empty name in a path would ask for something else.
    func checkNotEmpty(_ value: String, _ name: String) throws {
        if value.allSatisfy(\.isWhitespace) { throw ValidationError("\(name) is empty.") }
    }
}

/// Which server, and in what form its answers are printed.
struct ConnectionFlags: ParsableArguments {
    @Option(help: ArgumentHelp("The server; $OMNI_BASE_URL, else \(OmniClient.Configuration.standardBaseURL).", valueName: "url"))
    var baseURL: String?

    @Option(help: ArgumentHelp("Its key; $OMNI_API_KEY.", valueName: "key"))
    var apiKey: String?

    @Flag(help: "Print one JSON object, for scripts.")
    var json = false

    func validate() throws {
        let base = client.configuration.baseURL
        guard baseURL != "", let url = URL(string: base), url.scheme?.lowercased().hasPrefix("http") == true, url.host?.isEmpty == false
        else {
            throw ValidationError("\(baseURL == nil ? "OMNI_BASE_URL" : "--base-url") must be http://HOST:PORT, not \(baseURL ?? base).")
        }
    }

    var client: OmniClient { OmniClient(baseURL: baseURL, apiKey: apiKey) }
}

/// What the exit status says. Numbers are those of sysexits.h.
enum ClientExit {
    static let help = """
        EXIT STATUS: 0 done · 64 wrong usage · 65 the server refused the request · 66 a file cannot be read · 69 no server answers · \
        70 the server failed · 73 a file cannot be written · 75 busy, try later · 77 the key was refused · 130 stopped with Ctrl-C.
        """

    /// Says what went wrong, and gives the status to end with.
    static func report(_ error: any Error, json: Bool, client: OmniClient) -> ExitCode {
        if error is CancellationError { return ExitCode(130) }
        guard let error = error as? OmniError else {
            if let exit = error as? FileFault { return tell(exit.message, OmniError(.file, exit.message), ExitCode(exit.code), json: json) }
            if let error = error as? APIError {
                return tell(
                    error.fullMessage, OmniError(.refused, error.fullMessage, status: error.status, type: error.type, param: error.param),
                    ExitCode(65), json: json)
            }
            return tell("\(error)", OmniError(.unreadable, "\(error)"), ExitCode(70), json: json)
        }
        return tell(sentence(error, client), error, code(error), json: json)
    }

    static func code(_ error: OmniError) -> ExitCode {
        switch (error.kind, error.status ?? 0) {
        case (.unreachable, _): ExitCode(69)
        case (.file, _): ExitCode(66)
        case (.timedOut, _), (_, 408), (_, 429), (_, 503): ExitCode(75)
        case (_, 401), (_, 403): ExitCode(77)
        case (_, 400..<500): ExitCode(65)
        default: ExitCode(70)
        }
    }

    private static func sentence(_ error: OmniError, _ client: OmniClient) -> String {
        switch (error.kind, error.status ?? 0) {
        case (.unreachable, _):
            let start = startCommand(client.configuration.baseURL).map { "\nStart one with: \($0)" } ?? ""
            return "\(error.message)\(start)\nName another with --base-url or OMNI_BASE_URL."
        case (_, 401), (_, 403): return "\(error.message)\nGive the key with --api-key or OMNI_API_KEY."
        default:
            let id = error.requestID.map { (error.status ?? 0) >= 500 ? " (request \($0))" : "" } ?? ""
            return error.message + id
        }
    }

    /// What starts a server at a base URL; nil for one on another machine.
    static func startCommand(_ baseURL: String) -> String? {
        guard let url = URL(string: baseURL), url.scheme == "http", ["localhost", "127.0.0.1", "::1", "[::1]"].contains(url.host ?? "")
        else { return nil }
        return "omni serve" + (url.port.map { $0 == 8091 ? "" : " --port \($0)" } ?? " --port 80")
    }

    private static func tell(_ text: String, _ error: OmniError, _ code: ExitCode, json: Bool) -> ExitCode {
        if json {
            Output.line(
                JSONValue.object(
                    JSONObject([
                        (
                            "error",
                            [
                                "kind": .string(error.kind.rawValue), "message": .string(error.message),
                                "status": error.status.map { .int($0) } ?? .null,
                                "type": .string(error.type), "param": .string(error.param), "request_id": .string(error.requestID),
                            ]
                        )
                    ])
                ).jsonText)
        }
        Output.note("omni: \(Terminal.harmless(text))")
        return code
    }
}

/// A file of the user's that cannot be read (66) or written (73).
struct FileFault: Error {
    let message: String
    let code: Int32

    static func unreadable(_ path: String) -> FileFault { FileFault(message: "\(path) cannot be read.", code: 66) }
    static func unwritable(_ path: String, _ reason: String = "") -> FileFault {
        let reason = reason.hasSuffix(".") ? String(reason.dropLast()) : reason
        return FileFault(message: "\(path) cannot be written\(reason.isEmpty ? "" : ": \(reason)").", code: 73)
    }
}

/// The two streams of a program. Writes are whole. Where the standard output takes no more, the program ends, and with it the request.
enum Output {
    static func write(_ text: String) { write(Array(text.utf8), to: STDOUT_FILENO) }
    static func line(_ text: String) { write(text + "\n") }
    /// To the standard error.
    static func note(_ text: String) { write(Array((text + "\n").utf8), to: STDERR_FILENO) }

    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var left = bytes[...]
        while !left.isEmpty {
            let count = left.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = Foundation.poll(&poll, 1, -1)
                continue
            }
            if count <= 0, descriptor == STDOUT_FILENO { end(errno) }
            guard count > 0 else { return }
            left = left.dropFirst(count)
        }
    }

    /// A reader that has gone away is no error.
    private static func end(_ code: Int32) -> Never {
        if code == EPIPE { exit(0) }
        note("omni: \(FileFault.unwritable("The standard output", String(cString: strerror(code))).message)")
        exit(73)
    }
}
