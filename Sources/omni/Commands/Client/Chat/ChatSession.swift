import Foundation
import OmniClient

/// A conversation so far.
struct ChatSession: Sendable {
    let client: OmniClient
    /// Everything of a request but its messages.
    var template: ChatCompletionRequest
    let display: PictureProtocol
    var system: String?
    private(set) var messages: [ChatMessage] = []
    /// What goes with the next message.
    private(set) var attachments: [ChatPart] = []

    init(client: OmniClient, template: ChatCompletionRequest, display: PictureProtocol) {
        self.client = client
        self.template = template
        self.display = display
    }

    /// One answer, whole.
    struct Answer: Sendable {
        var model = ""
        var text = ""
        var reasoning = ""
        var pictures: [String] = []
        var finishReason: String?
        var usage: Usage?

        var json: JSONValue {
            var object = JSONObject([
                ("model", .string(model)), ("content", .string(text)), ("finish_reason", .string(finishReason)),
                ("usage", usage?.json ?? .null),
            ])
            if !reasoning.isEmpty { object["reasoning"] = .string(reasoning) }
            if !pictures.isEmpty { object["pictures"] = .array(pictures.map { .string($0) }) }
            return .object(object)
        }
    }

    /// A piece of an answer.
    enum Piece: Sendable {
        case text(String)
        case reasoning(String)
        /// A `data:` URL.
        case picture(String)
    }

    mutating func attach(_ paths: [String]) throws {
        for path in paths {
            guard FileManager.default.isReadableFile(atPath: path) else { throw FileFault.unreadable(path) }
            attachments.append(try .file(URL(fileURLWithPath: path)))
        }
    }

    mutating func reset() {
        messages = []
        attachments = []
    }

    /// Sends a message and hands on the answer as it comes. What has come of an answer that was stopped or broke off is kept, and
    /// so is the message; without any answer neither is, and attachments stay for the next try unless the server refuses them.
    mutating func answer(_ text: String, _ show: (Piece) -> Void) async throws -> Answer {
        let message: ChatMessage = attachments.isEmpty ? .user(text) : .user(text, attachments: attachments)
        var request = template
        request.messages = (system.map { [.system($0)] } ?? []) + messages + [message]
        var answer = Answer()
        do {
            for try await chunk in try await client.chat.stream(request) { Self.add(chunk, to: &answer, show) }
        } catch {
            if !answer.text.isEmpty {
                keep(message, answer)
            } else if let error = error as? OmniError, error.kind == .refused, !error.isTransient {
                attachments = []
            }
            throw error
        }
        keep(message, answer)
        return answer
    }

    private mutating func keep(_ message: ChatMessage, _ answer: Answer) {
        messages += [message, .assistant(answer.text)]
        attachments = []
    }

    private static func add(_ chunk: ChatCompletionChunk, to answer: inout Answer, _ show: (Piece) -> Void) {
        if !chunk.model.isEmpty { answer.model = chunk.model }
        if let usage = chunk.usage { answer.usage = usage }
        guard let choice = chunk.choices.first else { return }
        if let reason = choice.finishReason { answer.finishReason = reason }
        if let reasoning = choice.delta.reasoning ?? choice.delta.reasoningContent, !reasoning.isEmpty {
            answer.reasoning += reasoning
            show(.reasoning(reasoning))
        }
        if case .parts(let parts) = choice.delta.content {
            for case .image(let url) in parts {
                answer.pictures.append(url)
                show(.picture(url))
            }
        }
        if !chunk.text.isEmpty {
            answer.text += chunk.text
            show(.text(chunk.text))
        }
    }
}

/// Prints an answer as it comes.
final class AnswerPrinter {
    private let isTerminal = Terminal.showsOutput
    private let show: PictureProtocol
    private var isReasoning = false
    private var last: Character = "\n"

    init(show: PictureProtocol) { self.show = show }

    func print(_ piece: ChatSession.Piece) {
        switch piece {
        case .text(let text):
            endReasoning()
            write(isTerminal ? Terminal.harmless(text) : text)
        case .reasoning(let text):
            // Not part of the answer: shown dimmed, and not at all through a pipe.
            guard isTerminal else { return }
            if !isReasoning { Output.write("\u{1B}[2m") }
            isReasoning = true
            write(Terminal.harmless(text))
        case .picture(let url): picture(url)
        }
    }

    /// Ends the answer's last line.
    func end() {
        endReasoning()
        if last != "\n" { Output.write("\n") }
        last = "\n"
    }

    private func write(_ text: String) {
        Output.write(text)
        last = text.last ?? last
    }

    private func endReasoning() {
        guard isReasoning else { return }
        isReasoning = false
        Output.write("\u{1B}[0m\n")
    }

    private func picture(_ url: String) {
        guard let comma = url.firstIndex(of: ","), let data = Data(base64Encoded: String(url[url.index(after: comma)...])) else {
            return write(url + "\n")
        }
        let ending = url.hasPrefix("data:image/jpeg") ? "jpg" : url.hasPrefix("data:image/webp") ? "webp" : "png"
        let path = Files.free("picture", ending)
        do { try Files.write(data, to: path) } catch { return Output.note("omni: \((error as? FileFault)?.message ?? "\(error)")") }
        PictureDisplay.show(data, as: show)
        write(path + "\n")
    }
}
