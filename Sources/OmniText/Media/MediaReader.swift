import Foundation
import OmniAPI
import OmniEngine

/// Gets media out of a conversation's parts: fetches, checks limits, decodes.
final class MediaReader: Sendable {
    private let encoder: MediaEncoder
    private let limits: MediaLimits
    private let fetcher: (any MediaFetcher)?

    init(encoder: MediaEncoder, limits: MediaLimits, fetcher: (any MediaFetcher)?) {
        self.encoder = encoder
        self.limits = limits
        self.fetcher = fetcher
    }

    var marker: String { encoder.marker }

    func takes(_ part: ChatPart) -> Bool { encoder.inputParts.contains(part.wireName) }

    /// Decodes one part, which is the conversation's medium number `place`. Throws 400 or 413 naming the part.
    func read(_ part: ChatPart, param: String, place: Int) async throws -> MediaInput {
        guard place < limits.parts else {
            throw tooLarge(
                "The conversation holds more than \(limits.parts) pictures, sounds and videos.", "--limit-mm-per-prompt", "\(limits.parts)",
                param)
        }
        let bytes = try await bytes(of: part, param: param)
        guard bytes.count <= limits.bytes else {
            throw tooLarge("The \(part.wireName) has \(bytes.count) bytes.", "--limit-mm-bytes", "\(limits.bytes)", param)
        }
        do {
            return try await BlockingThread.run(name: "omni-media") { [self] in try decoded(bytes, part) }
        } catch var error as APIError {
            error.param = param
            throw error
        }
    }

    private func decoded(_ bytes: [UInt8], _ part: ChatPart) throws -> MediaInput {
        switch part {
        case .text, .image:
            return try limited("--limit-mm-pixels", "\(limits.pixels)") { try MediaInput(picture: bytes, encoder: encoder, limits: limits) }
        case .audio, .audioURL:
            return try limited("--limit-mm-seconds", "\(limits.seconds)") { try MediaInput(sound: bytes, encoder: encoder, limits: limits) }
        case .videoURL:
            let input =
                try encoder.clock != nil
                ? MediaInput(video: bytes, encoder: encoder, limits: limits) : MediaInput(foreignVideo: bytes, encoder: encoder)
            guard let video = input.videoShape else { return input }
            guard video.pixels <= limits.pixels else {
                throw tooLarge("The video has \(video.pixels) pixels.", "--limit-mm-pixels", "\(limits.pixels)")
            }
            guard video.seconds <= limits.seconds else {
                throw tooLarge("The video is \(Int(video.seconds)) seconds long.", "--limit-mm-seconds", "\(limits.seconds)")
            }
            return input
        }
    }

    /// Names the flag of the limit that a decoder keeps.
    private func limited(_ flag: String, _ value: String, _ decode: () throws -> MediaInput) throws -> MediaInput {
        do { return try decode() } catch let error as APIError where error.status == APIError.Code.tooLarge.status {
            throw tooLarge(error.message, flag, value)
        }
    }

    /// Places a rendered prompt's media.
    func tokenize(_ text: String, media: [MediaInput]) async throws -> Prompt {
        let encoder = encoder
        return try await BlockingThread.run(name: "omni-media") { try encoder.tokenize(text, media: media) }
    }

    private func tooLarge(_ fact: String, _ flag: String, _ value: String, _ param: String? = nil) -> APIError {
        APIError(.tooLarge, fact, remedy: "At most \(value) is taken here; the server's \(flag) changes that.", param: param)
    }

    private func bytes(of part: ChatPart, param: String) async throws -> [UInt8] {
        switch part {
        case .text: return []
        case .audio(let data, _): return try decoded(Substring(data), param: param)
        case .image(let url), .audioURL(let url), .videoURL(let url):
            if url.hasPrefix("data:") {
                guard let comma = url.firstIndex(of: ","), url[..<comma].hasSuffix(";base64") else {
                    throw APIError.invalid(param, "The data URL is not base64.")
                }
                return try decoded(url[url.index(after: comma)...], param: param)
            }
            guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
                throw APIError.invalid(param, "The URL must begin with data:, http:// or https://.")
            }
            guard let fetcher else {
                throw APIError.invalid(param, "This server does not fetch media from the network.", remedy: "Send it as a data URL.")
            }
            return try await fetcher.fetch(url, limit: limits.bytes, param: param)
        }
    }

    private func decoded(_ text: Substring, param: String) throws -> [UInt8] {
        guard text.utf8.count / 4 * 3 <= limits.bytes + 3 else {
            throw tooLarge("The media part has about \(text.utf8.count / 4 * 3) bytes.", "--limit-mm-bytes", "\(limits.bytes)", param)
        }
        guard let data = Base64.decode(String(text)), !data.isEmpty else {
            throw APIError.invalid(param, "The media part's data is not base64.")
        }
        return Array(data)
    }
}
