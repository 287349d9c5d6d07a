import OmniAPI
import OmniEngine

/// A decoded picture or sound.
struct Medium: Sendable {
}

/// Gets media out of a conversation's parts.
final class MediaReader: Sendable {
    let marker = "<__media__>"

    init(encoder: MediaEncoder, limits: MediaLimits, fetcher: (any MediaFetcher)?) {}

    func takes(_ part: ChatPart) -> Bool { false }
    func read(_ part: ChatPart, param: String, before: Int) async throws -> [Medium] { [] }
    func tokenize(_ text: String, media: [Medium]) async throws -> Prompt { Prompt() }
}
