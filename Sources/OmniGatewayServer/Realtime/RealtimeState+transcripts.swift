import OmniAPI

/// What was understood of the user's speech.
extension RealtimeState {
    private static let transcription = "conversation.item.input_audio_transcription"

    private func event(_ name: String, _ id: String, _ members: [(String, JSONValue)]) -> [Action] {
        guard session.audio.input.transcription != nil else { return [] }
        return [
            .send(
                RealtimeEvents.event(
                    "\(Self.transcription).\(name)", [("item_id", .string(id)), ("content_index", .int(part(of: id)))] + members))
        ]
    }

    /// Where an item's sound stands among its parts.
    private func part(of id: String) -> Int {
        (try? conversation.item(id))?.parts.firstIndex { if case .audio = $0 { true } else { false } } ?? 0
    }

    /// More of what was said.
    func heard(_ delta: String, of id: String) -> [Action] { event("delta", id, [("delta", .string(delta))]) }

    /// All that was said.
    mutating func transcribed(_ id: String, _ done: TranscriptionStreamEvent.Done) -> [Action] {
        let place = part(of: id)
        conversation.change(id) { item in
            guard case .message(let role, var parts) = item.kind, parts.indices.contains(place) else { return }
            parts[place] = .audio(transcript: done.text)
            item.kind = .message(role, parts)
        }
        let usage = done.usage?.json ?? ["type": "duration", "seconds": 0]
        return event("completed", id, [("transcript", .string(done.text)), ("usage", usage)])
    }

    mutating func notTranscribed(_ id: String, _ error: APIError) -> [Action] {
        var details = error.realtimeJSON(eventID: nil).objectValue ?? JSONObject()
        details["event_id"] = nil
        return event("failed", id, [("error", .object(details))])
    }
}
