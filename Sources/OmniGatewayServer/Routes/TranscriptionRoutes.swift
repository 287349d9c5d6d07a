import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP
import OmniRequests

/// `/v1/audio/transcriptions` and `/v1/audio/translations`.
struct TranscriptionRoutes: RouteGroup {
    let forwarder: Forwarder

    func add(to table: inout RouteTable) {
        add(
            to: &table, "/v1/audio/transcriptions", Self.doc("What a sound file says, in the language that is spoken."),
            task: "transcription")
        add(to: &table, "/v1/audio/translations", Self.doc("What a sound file says, in English."), task: "translation of speech")
    }

    private func add(to table: inout RouteTable, _ path: String, _ doc: RouteDoc, task: String) {
        table.add(.post, path, doc) { request, context in
            let (bytes, form) = try await context.collectForm(request)
            let (asked, known) = try context.decode(TranscriptionRequest.self, from: try form.transcriptionBody())
            let ignored = try context.naming(form.unknownFiles(known: [TranscriptionRequest.fileName]), beside: known)
            _ = try form.sound()
            try asked.checkFormat()
            let entry = try forwarder.catalogue.entry(named: asked.model, able: [.transcription], task: task)
            return try await forwarder.forward(request, body: bytes, to: entry, context: context, ignored: ignored)
        }
    }

    private static func doc(_ summary: String) -> RouteDoc {
        RouteDoc(summary, .speech)
            .takesForm(
                TranscriptionRequest.self,
                files: [
                    .init(
                        name: TranscriptionRequest.fileName, mediaType: "audio/*", about: "The sound, or a video with sound.",
                        isRequired: true)
                ]
            )
            .answers(.any([.object(TranscriptionReply.self), .object(VerboseTranscription.self)]), "With `json` and `verbose_json`.")
            .answers(.text, as: "text/plain", "With `text`, `srt` and `vtt`.")
            .streams(
                [.inline { TranscriptionStreamEvent.schema }, .object(ErrorReply.self)], "With `stream`: the text while the sound is heard."
            )
            .sends("x-ignored-params", "Fields of the request that had no effect.")
            .fails(.reading + .serving)
    }
}
