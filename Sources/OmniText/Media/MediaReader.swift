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
        try check(MediaHeader(bytes), of: part, param: param)
        let encoder = encoder
        if case .videoURL = part, encoder.clock != nil { return try await video(bytes, param: param) }
        let input = try await BlockingThread.run(name: "omni-media") { MediaInput(bytes, encoder: encoder) }
        guard let input else {
            throw APIError.invalid(
                param, "The \(part.wireName) cannot be decoded: it is damaged, or of a kind that this server does not read.")
        }
        try checkVideo(input, param: param)
        return input
    }

    private func video(_ bytes: [UInt8], param: String) async throws -> MediaInput {
        let (encoder, pixels) = (encoder, limits.pixels)
        do {
            let input = try await BlockingThread.run(name: "omni-media") {
                try MediaInput(video: bytes, encoder: encoder, mostPixels: pixels)
            }
            try checkVideo(input, param: param)
            return input
        } catch var error as APIError {
            error.param = error.param ?? param
            throw error
        }
    }

    private func checkVideo(_ input: MediaInput, param: String) throws {
        guard let video = input.videoShape else { return }
        try check(.image(width: video.pixels, height: 1), of: .image(url: ""), param: param)
        try check(.audio(seconds: video.seconds), of: .audioURL(""), param: param)
    }

    /// Places a rendered prompt's media.
    func tokenize(_ text: String, media: [MediaInput]) async throws -> Prompt {
        let encoder = encoder
        return try await BlockingThread.run(name: "omni-media") { try encoder.tokenize(text, media: media) }
    }

    private func check(_ header: MediaHeader?, of part: ChatPart, param: String) throws {
        switch (part, header) {
        case (.image, .image(let width, let height)):
            let (pixels, overflows) = width.multipliedReportingOverflow(by: height)
            guard width > 0, height > 0 else { throw APIError.invalid(param, "The picture is \(width)×\(height) pixels.") }
            guard !overflows, pixels <= limits.pixels else {
                throw tooLarge("The picture has \(overflows ? Int.max : pixels) pixels.", "--limit-mm-pixels", "\(limits.pixels)", param)
            }
        case (.image, _): throw APIError.invalid(param, "The \(part.wireName) is not a PNG, JPEG, GIF, BMP or WebP picture.")
        case (.audio, .audio(let seconds)), (.audioURL, .audio(let seconds)):
            guard seconds <= limits.seconds else {
                throw tooLarge("The sound or video is \(Int(seconds)) seconds long.", "--limit-mm-seconds", "\(limits.seconds)", param)
            }
        case (.audio, _), (.audioURL, _): throw APIError.invalid(param, "The \(part.wireName) is not a WAV, MP3 or FLAC sound.")
        case (.videoURL, _), (.text, _): break
        }
    }

    private func tooLarge(_ fact: String, _ flag: String, _ value: String, _ param: String) -> APIError {
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
