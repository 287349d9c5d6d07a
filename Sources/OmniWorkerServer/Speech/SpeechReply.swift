import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import OmniAPI
import OmniEngine
import OmniHTTP
import OmniMedia

/// Writes speech replies: whole files, bytes as they come, or events (API.md, section 8). All three read the same events.
struct SpeechReply: Sendable {
    let generation: SpeechGeneration
    let format: AudioFormat
    let scope: RequestScope

    /// Hz of the sound in the reply, as its header says it.
    var sampleRate: String { String(AudioEncoder.codedRate(format, sampleRate: generation.sampleRate)) }

    private var headers: HTTPFields { [.contentType: format.contentType(sampleRate: generation.sampleRate), .xSampleRate: sampleRate] }

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
        var headers = headers
        let counts = [
            ("INPUT-TOKENS", usage.inputTokens ?? 0), ("OUTPUT-TOKENS", usage.outputTokens ?? 0),
            ("TOTAL-TOKENS", (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0)),
            ("INPUT-TEXT-TOKENS", usage.textTokens ?? 0), ("INPUT-AUDIO-TOKENS", (usage.inputTokens ?? 0) - (usage.textTokens ?? 0)),
        ]
        for (name, count) in counts {
            if let field = HTTPField.Name("X-VLLM-OMNI-\(name)") { headers[field] = String(count) }
        }
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: file)))
    }

    /// Raw bytes, chunk by chunk. A failure after the start cuts the connection: the format has no place for an error.
    func byteStream(_ context: OmniContext) throws -> Response {
        let coder = try SpeechCoder(format, sampleRate: generation.sampleRate)
        let body = ResponseBody { [self] writer in
            let sink = EventSink(writer)
            @Sendable func write(_ bytes: [UInt8]) async throws { if !bytes.isEmpty { try await sink.write(ByteBuffer(bytes: bytes)) } }
            try await context.cancelOnDisconnect {
                defer { scope.cancellation.cancel() }
                try await write(coder.push([]))
                for try await event in generation.events {
                    if case .audio(let samples) = event { try await write(coder.push(samples)) }
                }
                try await write(coder.finish())
                try Task.checkCancellation()
            }
            try await writer.finish(nil)
        }
        var headers = headers
        headers[.xAccelBuffering] = "no"
        return Response(status: .ok, headers: headers, body: body)
    }

    /// `speech.audio.delta` … `speech.audio.done`; a failure is an event of its own, after which nothing follows. The sound of all deltas,
    /// joined, is a file.
    func sendEvents(to sink: EventSink, log: Logger) async throws {
        defer { scope.cancellation.cancel() }
        var hasSent = false
        func send(_ event: SpeechStreamEvent) async throws { try await sink.event(event.name, event.json) }
        func send(_ bytes: [UInt8]) async throws { if !bytes.isEmpty { try await send(.delta(audio: bytes.base64, format: format)) } }
        do {
            let coder = try SpeechCoder(format, sampleRate: generation.sampleRate)
            // The header of a WAV stands alone: the sizes in it say that they are not known.
            try await send(coder.push([]))
            for try await event in generation.events {
                switch event {
                case .audio(let samples):
                    let bytes = try await coder.push(samples)
                    try await send(bytes)
                    hasSent = hasSent || !bytes.isEmpty
                case .unit: break
                case .usage(let usage):
                    try await send(coder.finish())
                    try await send(.done(SpeechTokenUsage(inputTokens: usage.inputTokens, outputTokens: usage.outputTokens)))
                }
            }
            try Task.checkCancellation()
        } catch let error where !(error is CancellationError) {
            log.error("speech failed", metadata: ["error": "\(error)"])
            let wire = (error as? APIError) ?? APIError(.internalError, "Speech generation failed.")
            try await send(.error(wire, partialAudio: hasSent))
        }
    }
}
