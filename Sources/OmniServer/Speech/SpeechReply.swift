import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import OmniAPI
import OmniEngine
import OmniMedia

/// Writes speech replies: whole files, bytes as they come, or events (API.md, section 8). All three read the same events.
struct SpeechReply: Sendable {
    let generation: SpeechGeneration
    let format: AudioFormat
    let scope: RequestScope

    /// The finished file, and the counts.
    func file() async throws -> ([UInt8], SpeechTokenUsage) {
        defer { scope.cancellation.cancel() }
        var samples: [Float] = []
        var usage = SpeechUsage()
        for try await event in generation.events {
            switch event {
            case .audio(let more): samples += more
            case .unit: break
            case .usage(let counts): usage = counts
            }
        }
        try Task.checkCancellation()
        let clip = AudioClip(samples: samples, sampleRate: generation.sampleRate)
        let file = try await NIOThreadPool.singleton.runIfActive { [format] in try AudioEncoder.encode(clip, as: format) }
        return (file, SpeechTokenUsage(inputTokens: usage.inputTokens, outputTokens: usage.outputTokens))
    }

    func whole() async throws -> Response {
        let (file, usage) = try await file()
        var headers: HTTPFields = [.contentType: format.contentType]
        let counts = [
            ("INPUT-TOKENS", usage.inputTokens ?? 0), ("OUTPUT-TOKENS", usage.outputTokens ?? 0), ("TOTAL-TOKENS", (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0)),
            ("INPUT-TEXT-TOKENS", usage.textTokens ?? 0), ("INPUT-AUDIO-TOKENS", (usage.inputTokens ?? 0) - (usage.textTokens ?? 0)),
        ]
        for (name, count) in counts {
            if let field = HTTPField.Name("X-VLLM-OMNI-\(name)") { headers[field] = String(count) }
        }
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: file)))
    }

    /// Raw bytes, chunk by chunk. A failure after the start cuts the connection: the format has no place for an error.
    func byteStream(_ context: OmniContext) -> Response {
        let body = ResponseBody { [self] writer in
            let sink = EventSink(writer)
            try await context.cancelOnDisconnect {
                defer { scope.cancellation.cancel() }
                if format == .wav { try await sink.write(ByteBuffer(bytes: header)) }
                for try await event in generation.events {
                    if case .audio(let samples) = event { try await sink.write(ByteBuffer(bytes: PCM.bytes(samples))) }
                }
                try Task.checkCancellation()
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: format.contentType], body: body)
    }

    /// `speech.audio.delta` … `speech.audio.done`; a failure is an event of its own, after which nothing follows.
    func sendEvents(to sink: EventSink, log: Logger) async throws {
        defer { scope.cancellation.cancel() }
        var hasSent = false
        func send(_ event: SpeechStreamEvent) async throws { try await sink.event(event.name, event.json) }
        do {
            if format == .wav { try await send(.delta(audio: header.base64, format: format)) }
            for try await event in generation.events {
                switch event {
                case .audio(let samples):
                    try await send(.delta(audio: PCM.bytes(samples).base64, format: format))
                    hasSent = true
                case .unit: break
                case .usage(let usage): try await send(.done(SpeechTokenUsage(inputTokens: usage.inputTokens, outputTokens: usage.outputTokens)))
                }
            }
            try Task.checkCancellation()
        } catch let error where !(error is CancellationError) {
            log.error("speech failed", metadata: ["error": "\(error)"])
            let wire = (error as? APIError) ?? APIError(.internalError, "Speech generation failed.")
            try await send(.error(wire, partialAudio: hasSent))
        }
    }

    /// A WAV header whose sizes say that they are not known.
    private var header: [UInt8] { PCM.wavHeader(sampleRate: generation.sampleRate, channels: 1, dataBytes: nil) }
}

extension [UInt8] {
    var base64: String { Data(self).base64EncodedString() }
}
