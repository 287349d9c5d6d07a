import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix
import OmniAPI
import OmniEngine
import OmniHTTP
import OmniMedia
import OmniRequests

/// `/v1/audio/transcriptions` and `/v1/audio/translations`.
struct TranscriptionRoutes: RouteGroup {
    let worker: WorkerModel
    let metrics: MetricsRegistry
    let limits: AudioLimits

    func add(to table: inout RouteTable) {
        for (path, task) in [("/v1/audio/transcriptions", VerboseTranscription.Task.transcribe), ("/v1/audio/translations", .translate)] {
            table.add(.post, path, "What a sound file says.") { request, context in
                let (_, form) = try await context.collectForm(request)
                let (asked, ignored) = try context.decode(TranscriptionRequest.self, from: try form.transcriptionBody())
                let sound = try form.sound()
                try asked.checkFormat()
                let model = try worker.model(as: (any TranscriptionModel).self)
                let scope = RequestScope(id: context.requestID)
                let (events, seconds) = try await context.cancelOnDisconnect { try await hear(sound, asked, task, by: model, scope: scope) }
                let reply = TranscriptionWriter(
                    request: asked, task: task, languages: model.abilities.languages, events: events, scope: scope, statedSeconds: seconds)
                guard asked.stream else { return try await context.cancelOnDisconnect { try await reply.whole(ignored: ignored) } }
                return context.eventStream(ignored: ignored) { try await reply.sendEvents(to: $0) }
            }
        }
    }

    private func hear(
        _ sound: ByteBuffer, _ asked: TranscriptionRequest, _ task: VerboseTranscription.Task, by model: any TranscriptionModel,
        scope: RequestScope
    ) async throws -> (events: AsyncThrowingStream<TranscriptionEvent, any Error>, statedSeconds: Double?) {
        let meter = TranscriptionMeter(registry: metrics, modelName: worker.servedName)
        do {
            // Finding out what a file is may take as long as reading all of it.
            let reader = try await NIOThreadPool.singleton.runIfActive { [limits] in
                do {
                    let reader = try AudioReader(sound.readableBytesView, sampleRate: SpeechRecognition.sampleRate, limits: limits)
                    // A file that does not say how long it is may be days: decoding it to its end costs far less than hearing it.
                    if reader.statedSeconds == nil { try AudioReader(sound.readableBytesView, sampleRate: 8000, limits: limits).skipAll() }
                    return reader
                } catch var error as APIError {
                    error.param = "body.file"
                    throw error
                }
            }
            var recognition = SpeechRecognition(
                sound: FileSound(reader: reader), language: asked.language, translates: task == .translate, prompt: asked.prompt,
                temperature: asked.temperature, timesWords: asked.timesWords)
            recognition.lowLatency = asked.lowLatency
            if let activity = asked.chunking {
                let standard = VoiceActivitySettings()
                recognition.voiceActivity = VoiceActivitySettings(
                    threshold: activity.threshold ?? standard.threshold,
                    padding: activity.prefixPadding.map { Double($0) / 1000 } ?? standard.padding,
                    pause: activity.silence.map { Double($0) / 1000 } ?? standard.pause)
            }
            return (meter.counting(try await model.transcribe(recognition, scope: scope)), reader.statedSeconds)
        } catch {
            meter.failed(error)
            throw error
        }
    }
}

/// A file as a source of sound.
private struct FileSound: SoundSource {
    let reader: AudioReader

    var statedSeconds: Double? { reader.statedSeconds }

    func next() throws -> [Float]? {
        do {
            return try reader.next()
        } catch var error as APIError {
            error.param = "body.file"
            throw error
        }
    }
}
