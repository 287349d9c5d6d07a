import OmniAPI
import OmniEngine

/// Turns one parsed answer after the other into the pieces that a stream sends. What was sent is never taken back: while a
/// parser changes its mind about the end of a text, nothing goes out.
struct AnswerDiff: Sendable {
    let index: Int
    private let newID: @Sendable () -> String
    private var sentContent = ""
    private var sentReasoning = ""
    /// Arguments sent so far of each call whose name was sent.
    private var sentArguments: [String] = []

    init(index: Int, newID: @escaping @Sendable () -> String = AnswerDiff.randomID) {
        self.index = index
        self.newID = newID
    }

    var hasCalls: Bool { !sentArguments.isEmpty }

    /// `isFinal`: no more will come, so that a call without arguments is a call.
    mutating func advance(to answer: ParsedAnswer, isFinal: Bool) -> [TextEvent] {
        var events: [TextEvent] = []
        if let new = Self.extension(of: &sentReasoning, to: answer.reasoning) { events.append(.reasoning(index: index, new)) }
        if let new = Self.extension(of: &sentContent, to: answer.content) { events.append(.text(index: index, new, logprobs: [])) }
        for (place, call) in answer.calls.enumerated() {
            guard place <= sentArguments.count else { break }
            let isSettled = isFinal || !call.arguments.isEmpty || place + 1 < answer.calls.count
            if place == sentArguments.count {
                guard isSettled, !call.name.isEmpty else { break }
                sentArguments.append(call.arguments)
                events.append(.toolCall(index: index, call: place, id: newID(), name: call.name, arguments: call.arguments))
            } else if let new = Self.extension(of: &sentArguments[place], to: call.arguments) {
                events.append(.toolCall(index: index, call: place, id: nil, name: nil, arguments: new))
            }
        }
        return events
    }

    /// What `new` adds to `sent`; nil when it adds nothing or is no longer a continuation.
    private static func `extension`(of sent: inout String, to new: String) -> String? {
        guard new.utf8.count > sent.utf8.count, new.utf8.starts(with: sent.utf8) else { return nil }
        let added = String(new[new.utf8.index(new.startIndex, offsetBy: sent.utf8.count)...])
        sent = new
        return added
    }

    @Sendable static func randomID() -> String {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
        return "call_" + String((0..<24).map { _ in alphabet[Int.random(in: 0..<alphabet.count)] })
    }
}
