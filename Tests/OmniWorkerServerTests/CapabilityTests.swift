import Foundation
import OmniAPI
import OmniEngine
import OmniMedia
import OmniWorkerAPI
import Synchronization
import Testing

@testable import OmniWorkerServer

@Suite("What a model can do is a set", .timeLimit(.minutes(10)))
struct CapabilityTests {
    @Test("a worker tells all that its model can do, and answers the routes of each")
    func told() async throws {
        let wire = try await WorkerOnWire(.ready(TalkingModel()))
        let status = try WorkerStatus(json: try await wire.ask(WorkerProtocol.statusPath).json)
        #expect(status.capabilities == ["chat", "speech", "spoken_chat"] && status.kind == "text" && status.voices == ["ann"])
        #expect(status.protocolVersion == WorkerProtocol.version)
        let told = try await wire.ask(WorkerProtocol.capabilitiesPath).json
        #expect(told["text"]?["max_model_len"] == 100 && told["speech"]?["sample_rate"] == 24_000 && (told["image"] ?? .null).isNull)
        #expect(try await wire.ask("/v1/audio/speech", ["input": "Hello."]).status == 501, "it reached the model")
        let refused = try await wire.ask("/v1/embeddings", ["input": "x"])
        #expect(refused.status == 404 && refused.text.contains("cannot do embeddings"))
    }

    @Test("while it loads every route is 503, whatever the model can do")
    func loading() async throws {
        let wire = try await WorkerOnWire(.loading(0.25))
        let asked: [(String, JSONValue)] = [
            ("/v1/embeddings", ["input": "x"]), ("/v1/chat/completions", ["messages": [["role": "user", "content": "hi"]]]),
        ]
        for (path, body) in asked {
            let answer = try await wire.ask(path, body)
            #expect(answer.status == 503 && answer.text.contains("25 %"), "\(path)")
        }
        wire.worker.state = .failed(reason: "No memory.")
        #expect(try await wire.ask("/v1/embeddings", ["input": "x"]).text.contains("No memory."))
    }

    @Test("every kind of model can do something, and no two kinds the same")
    func kinds() {
        let sets = ModelKind.allCases.map(\.capabilities)
        #expect(sets.allSatisfy { !$0.isEmpty } && Set(sets).count == sets.count)
    }

    @Test("a client that leaves ends the work of its request: tokens, too")
    func leaving() async throws {
        let model = TalkingModel()
        let wire = try await WorkerOnWire(.ready(model))
        let asking = Task { try await wire.ask("/tokenize", ["prompt": "x"]) }
        while model.tokenizing.withLock({ $0.entered }) == 0 { try await Task.sleep(for: .milliseconds(1)) }
        asking.cancel()
        while model.tokenizing.withLock({ $0.cancelled }) == 0 { try await Task.sleep(for: .milliseconds(1)) }
        #expect(model.tokenizing.withLock { $0 } == (1, 1))
    }
}

/// A model that takes fewer steps and less guidance than the wire does.
private final class NarrowModel: ImageModel {
    let card = ModelCard(kind: .image, root: "")
    let imageDefaults = ImageDefaults(
        width: 32, height: 32, steps: 4, guidanceScale: 0, strength: 0.6, multiple: 16,
        limits: DenoisingLimits(steps: 1...8, guidanceScale: 0...1))

    func shutdown() async {}
    func price(_ request: ImageRequest) async throws -> ImagePrice { ImagePrice(bytes: 0) }

    func generate(_ request: ImageRequest, scope: RequestScope) async throws -> AsyncThrowingStream<ImageEvent, any Error> {
        AsyncThrowingStream { events in
            events.yield(.progress(.denoise, step: 1, steps: 1))
            if let image = FloatImage(width: 32, height: 32, values: [Float](repeating: 0.5, count: 3072)) {
                events.yield(.image(index: 0, image))
            }
            events.finish()
        }
    }
}

@Suite("A family's own limits", .timeLimit(.minutes(10)))
struct DenoisingLimitTests {
    @Test("are told, and what is beyond them is refused by name")
    func told() async throws {
        let wire = try await WorkerOnWire(.ready(NarrowModel()))
        let told = try await wire.ask(WorkerProtocol.capabilitiesPath).json["image"]
        #expect(told?["num_inference_steps"]?["maximum"]?.doubleValue == 8 && told?["guidance_scale"]?["maximum"]?.doubleValue == 1)
        func ask(_ fields: String) async throws -> WorkerOnWire.Answer {
            try await wire.ask("/v1/images/generations", try JSONValue.parse(#"{"prompt":"x"\#(fields)}"#))
        }
        for fields in ["", #","num_inference_steps":8"#, #","guidance_scale":1"#] {
            #expect(try await ask(fields).status == 200, "\(fields)")
        }
        for (field, value) in [("num_inference_steps", "9"), ("guidance_scale", "2")] {
            let answer = try await ask(#","\#(field)":\#(value)"#)
            #expect(answer.status == 400 && answer.json["error"]?["param"]?.stringValue == "body.\(field)", "\(field)")
        }
    }

    @Test("a family that says nothing takes what the wire takes")
    func wire() throws {
        try DenoisingLimits().check(steps: 200, guidanceScale: 900)
        try DenoisingLimits().check(steps: nil, guidanceScale: nil)
        #expect(throws: ImageModelError.self) { try DenoisingLimits().check(steps: 201, guidanceScale: nil) }
    }
}

@Suite("A model that speaks its answers itself", .timeLimit(.minutes(10)))
struct SpokenAnswerTests {
    private static let samples = [Float](repeating: 0.25, count: 2400)
    private static let events: [TextEvent] = [
        .text(index: 0, "Hi.", logprobs: []), .audio(index: 0, samples, sampleRate: 24_000), .audio(index: 0, samples, sampleRate: 24_000),
        .finished(index: 0, .stop, stopReason: .null), .usage(Usage(promptTokens: 1, completionTokens: 2)),
    ]

    private func ask(_ fields: String, _ events: [TextEvent] = Self.events) async throws -> WorkerOnWire.Answer {
        let wire = try await WorkerOnWire(.ready(TalkingModel(events)))
        return try await wire.ask("/v1/chat/completions", try JSONValue.parse(#"{"messages":[{"role":"user","content":"hi"}]\#(fields)}"#))
    }

    @Test("its sound comes in chunks as that of a spoken chat does, each a file")
    func streamed() async throws {
        let answer = try await ask(#","stream":true,"modalities":["text","audio"],"audio":{"voice":"x","format":"wav"}"#)
        let chunks = answer.events.filter { $0["choices"]?[0]?["audio_metadata"] != nil }
        #expect(answer.status == 200 && answer.ignored == "audio.voice" && chunks.count == 2)
        for chunk in chunks {
            let choice = try #require(chunk["choices"]?[0])
            #expect(chunk["modality"] == "audio")
            let file = try #require(Data(base64Encoded: choice["delta"]?["content"]?.stringValue ?? ""))
            #expect(try AudioDecoder.decode(Array(file), limits: .voiceSample).mono.samples.count == 2400)
            #expect(choice["audio_metadata"]?.jsonText == #"{"format":"wav","sample_rate_hz":24000,"frame_count":2400,"channels":1}"#)
            _ = try ChatCompletionChunk(json: chunk)
        }
        // The reason stands on the chunk that ends the last modality.
        let ends = answer.events.filter { $0["choices"]?[0]?["finish_reason"]?.stringValue == "stop" }
        #expect(ends.count == 1 && ends[0]["modality"] == "audio")
        #expect(answer.text.hasSuffix("data: [DONE]\n\n"))
    }

    @Test("a whole answer has all of its sound in one file, with the words beside it")
    func whole() async throws {
        let answer = try await ask(#","modalities":["text","audio"],"audio":{"format":"pcm16"}"#)
        let choice = try #require(answer.json["choices"]?[0]), audio = choice["message"]?["audio"]
        #expect(Data(base64Encoded: audio?["data"]?.stringValue ?? "")?.count == 2 * 4800)
        #expect(audio?["transcript"] == "Hi." && choice["message"]?["content"] == "Hi." && choice["audio_metadata"]?["frame_count"] == 4800)
        #expect(answer.ignored == nil)
    }

    @Test("without a wish for sound there is none", arguments: ["", #","stream":true"#, #","modalities":["text"]"#])
    func silent(fields: String) async throws {
        let answer = try await ask(fields)
        #expect(answer.status == 200 && !answer.text.contains("audio_metadata") && answer.text.contains("Hi."))
    }

    @Test("pictures of an answer are parts of its content, and chunks of their own")
    func pictures() async throws {
        let image = try #require(FloatImage(width: 4, height: 2, values: [Float](repeating: 0.5, count: 24)))
        let events: [TextEvent] = [
            .text(index: 0, "Look.", logprobs: []), .image(index: 0, image), .finished(index: 0, .stop, stopReason: .null),
        ]
        let parts = try #require(try await ask("", events).json["choices"]?[0]?["message"]?["content"]?.arrayValue)
        #expect(parts.count == 2 && parts[0]["text"] == "Look.")
        let url = try #require(parts[1]["image_url"]?["url"]?.stringValue)
        let file = try #require(Data(base64Encoded: String(url.dropFirst("data:image/png;base64,".count))))
        let picture = try ImageCodec.decode(Array(file))
        #expect(picture.width == 4 && picture.height == 2)
        let chunk = try #require(try await ask(#","stream":true"#, events).events.first { $0["modality"] == "image" })
        #expect(chunk["choices"]?[0]?["delta"]?["content"]?[0]?["image_url"]?["url"]?.stringValue == url)
        _ = try ChatCompletionChunk(json: chunk)
    }
}
