import Foundation
import Hummingbird
import NIOPosix
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP
import OmniMedia
import OmniStore

/// `/v1/audio/voices`.
struct VoiceRoutes: RouteGroup {
    let catalogue: Catalogue
    let voices: VoiceResolver

    func add(to table: inout RouteTable) {
        let list = RouteDoc("The voices there are.", .speech).answers(VoiceList.self, "Without a speech model there are none.")
        table.add(.get, "/v1/audio/voices", list) { _, _ in
            guard catalogue.entries.contains(where: { $0.can(.speech) }) else { return .json(VoiceList().json) }
            let builtIn = catalogue.entries.flatMap(\.backend.status.voices) + voices.aliases.keys
            return .json(VoiceList(builtIn: builtIn, uploaded: try await voices.store.all().map(\.voice)).json)
        }
        for path in ["/v1/audio/voices", "/v1/audio/voice/upload"] {
            let upload = RouteDoc("Keeps a voice to be imitated: a sample of 1 to 30 seconds, or an embedding.", .speech)
                .takesForm(
                    VoiceUpload.self,
                    files: [.init(name: "audio_sample", mediaType: "audio/*", about: "1 to 30 seconds of speech, at most 10 MiB.")]
                )
                .answers(VoiceUploadReply.self)
                .fails(.reading + [.notFound, .conflict, .insufficientStorage])
            table.add(.post, path, upload) { request, context in
                _ = try catalogue.entry(named: nil, able: [.speech], task: "speech")
                let form = try await context.collectForm(request).form
                let stored = try await voices.store.keep(try await Self.newVoice(form, reserved: voices.reservedNames(in: catalogue)))
                return .json(VoiceUploadReply(stored.voice).json)
            }
        }
        let forget = RouteDoc("Forgets an uploaded voice.", .speech)
            .parameter("name", "The voice's name.").answers(VoiceDeletionReply.self).fails(.notFound)
        table.add(.delete, "/v1/audio/voices/{name}", forget) { _, context in
            _ = try catalogue.entry(named: nil, able: [.speech], task: "speech")
            let name = context.parameters.get("name").flatMap { $0.removingPercentEncoding } ?? ""
            guard try await voices.store.remove(named: name) else { throw APIError(.notFound, "Voice '\(name)' not found") }
            return .json(VoiceDeletionReply(deleted: name).json)
        }
    }

    /// Checks an upload whole before anything of it is kept.
    private static func newVoice(_ form: Form, reserved: Set<String>) async throws -> NewVoice {
        let upload = try VoiceUpload(json: form.json(excluding: ["audio_sample"]))
        guard !reserved.contains(upload.name.lowercased()) else {
            throw APIError.invalid("name", "The voice '\(upload.name)' is one of a served model.", remedy: "Choose another name.")
        }
        var voice = UploadedVoice()
        voice.name = upload.name
        voice.consent = upload.consent
        voice.createdAt = Int(Date().timeIntervalSince1970)
        voice.refText = upload.refText
        voice.speakerDescription = upload.speakerDescription
        switch (form["audio_sample"].first, upload.speakerEmbedding) {
        case (nil, nil): throw APIError.invalid("audio_sample", "Either audio_sample or speaker_embedding is required.")
        case (_?, _?): throw APIError.invalid("speaker_embedding", "audio_sample and speaker_embedding exclude each other.")
        case (nil, let text?):
            let numbers = try embedding(text)
            voice.embeddingSource = .direct
            voice.embeddingDimension = numbers.count
            return NewVoice(voice: voice, embedding: numbers)
        case (let part?, nil):
            voice.mimeType = try mediaType(of: part)
            voice.fileSize = part.body.readableBytes
            voice.embeddingSource = .audio
            let sample = Array(part.body.readableBytesView)
            try await checkSample(sample)
            return NewVoice(voice: voice, sample: sample)
        }
    }

    private static func embedding(_ text: String) throws -> [Float] {
        guard let values = try? JSONValue.parse(text).arrayValue, let numbers = values as [JSONValue]?, !numbers.isEmpty else {
            throw APIError.invalid("speaker_embedding", "speaker_embedding must be a JSON list of numbers.")
        }
        guard numbers.count <= VoiceUpload.longestEmbedding else {
            throw APIError.invalid(
                "speaker_embedding", "speaker_embedding has \(numbers.count) numbers; the most is \(VoiceUpload.longestEmbedding).")
        }
        let floats = numbers.compactMap { $0.doubleValue.map { Float($0) } }.filter(\.isFinite)
        guard floats.count == numbers.count else {
            throw APIError.invalid("speaker_embedding", "speaker_embedding must hold finite numbers only.")
        }
        return floats
    }

    /// The declared type, or for undeclared ones that of the file name's ending; unknown endings count as WAV.
    private static func mediaType(of part: FormPart) throws -> String {
        let declared = part.contentType?.split(separator: ";").first.map { $0.trimming().lowercased() } ?? "application/octet-stream"
        if VoiceUpload.mediaTypes.contains(declared) { return declared }
        guard declared == "application/octet-stream" else {
            throw APIError.invalid(
                "audio_sample", "Unsupported media type `\(declared)`.",
                remedy: "Supported: \(VoiceUpload.mediaTypes.sorted().joined(separator: ", ")).")
        }
        switch (part.fileName ?? "").split(separator: ".").last?.lowercased() {
        case "mp3": return "audio/mpeg"
        case "ogg", "opus": return "audio/ogg"
        case "aac": return "audio/aac"
        case "flac": return "audio/flac"
        case "webm": return "audio/webm"
        case "m4a", "mp4": return "audio/mp4"
        default: return "audio/wav"
        }
    }

    private static func checkSample(_ sample: [UInt8]) async throws {
        guard sample.count <= VoiceUpload.largestSample else {
            throw APIError(
                .tooLarge, "The sample has \(sample.count) bytes; the limit is \(VoiceUpload.largestSample).",
                remedy: "Send at most 30 seconds, compressed.", param: "audio_sample")
        }
        var limits = AudioLimits.voiceSample
        limits.seconds = VoiceUpload.sampleSeconds.upperBound + 0.1
        let clip: AudioClip
        do {
            clip = try await NIOThreadPool.singleton.runIfActive { [limits] in try AudioDecoder.decode(sample, limits: limits) }
        } catch let error as APIError where error.status != 413 {
            throw APIError.invalid("audio_sample", "The sample is not sound that can be decoded: \(error.message)")
        } catch let error as APIError where error.code == .tooLong {
            throw APIError.invalid("audio_sample", "The sample is longer than \(Int(VoiceUpload.sampleSeconds.upperBound)) seconds.")
        }
        guard VoiceUpload.sampleSeconds.contains(clip.duration) else {
            throw APIError.invalid("audio_sample", "The sample has \((clip.duration * 100).rounded() / 100) seconds; it must have 1 to 30.")
        }
    }
}
