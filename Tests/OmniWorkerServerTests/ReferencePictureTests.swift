import Foundation
import OmniAPI
import OmniEngine
import OmniMedia
import OmniWorkerAPI
import Synchronization
import Testing

@testable import OmniWorkerServer

/// A model that draws nothing, and tells what it was given.
private final class LookingModel: ImageModel {
    let card = ModelCard(kind: .image, root: "")
    let imageDefaults: ImageDefaults
    let seen = Mutex<[ImageRequest]>([])

    init(_ references: ReferenceLimits?) {
        imageDefaults = ImageDefaults(
            width: 32, height: 32, steps: 4, guidanceScale: 0, strength: 0.6, multiple: 16, references: references)
    }

    func shutdown() async {}
    func price(_ request: ImageRequest) async throws -> ImagePrice { ImagePrice(bytes: 0) }

    func generate(_ request: ImageRequest, scope: RequestScope) async throws -> AsyncThrowingStream<ImageEvent, any Error> {
        seen.withLock { $0.append(request) }
        let (width, height) = (request.width ?? 32, request.height ?? 32)
        return AsyncThrowingStream { events in
            if let image = FloatImage(width: width, height: height, values: [Float](repeating: 0.5, count: width * height * 3)) {
                events.yield(.image(index: 0, image))
            }
            events.finish()
        }
    }
}

@Suite("What becomes of a request's input pictures", .timeLimit(.minutes(10)))
struct ReferencePictureTests {
    static let limits = ReferenceLimits(count: 3, pixels: 40 * 40, shortestSide: 20, aspectRatio: 2)

    static func url(_ width: Int, _ height: Int) throws -> JSONValue {
        let picture = Picture(width: width, height: height, red: 10, green: 20, blue: 30)
        let data = Data(try ImageCodec.encode(picture, as: .png))
        return ["type": "image_url", "image_url": ["url": .string("data:image/png;base64,\(data.base64EncodedString())")]]
    }

    static func ask(_ model: any ImageModel, _ pictures: [(Int, Int)], _ fields: [(String, JSONValue)] = []) async throws
        -> WorkerOnWire.Answer
    {
        let parts = try pictures.map { try url($0.0, $0.1) } + [["type": "text", "text": "x"]]
        let body: [(String, JSONValue)] = [("messages", [["role": "user", "content": .array(parts)]])] + fields
        return try await WorkerOnWire(.ready(model)).ask("/v1/chat/completions", .object(JSONObject(body)))
    }

    static func sizes(_ images: [FloatImage]) -> [[Int]] { images.map { [$0.width, $0.height] } }

    @Test("a model that looks at pictures gets all of them, within its limits, and draws in the size of the first")
    func looking() async throws {
        let model = LookingModel(Self.limits)
        #expect(try await Self.ask(model, [(50, 40), (33, 21), (32, 32)]).status == 200)
        let request = try #require(model.seen.withLock { $0.last })
        // 50x40 has too many pixels: 44x35, of which the middle is kept.
        #expect(Self.sizes(request.references) == [[32, 32], [32, 16], [32, 32]] && request.input == nil)
        #expect(request.width == 32 && request.height == 32)
        #expect(try await Self.ask(model, [(50, 40)], [("size", "48x16"), ("strength", 1)]).status == 200)
        let sized = try #require(model.seen.withLock { $0.last })
        #expect(Self.sizes(sized.references) == [[32, 32]] && sized.width == 48 && sized.height == 16)
    }

    @Test("where something of the first picture is kept, drawing starts from it")
    func starting() async throws {
        let model = LookingModel(Self.limits)
        #expect(try await Self.ask(model, [(48, 32), (32, 32)], [("strength", 0.5)]).status == 200)
        let request = try #require(model.seen.withLock { $0.last })
        #expect(request.input.map { [$0.width, $0.height] } == [48, 32] && Self.sizes(request.references) == [[32, 32]])
    }

    @Test("too many, too small and too long pictures are refused by name, and so are several for a model that takes one")
    func refusals() async throws {
        let model = LookingModel(Self.limits)
        for pictures in [[(32, 32), (32, 32), (32, 32), (32, 32)], [(16, 32)], [(32, 32), (32, 70)]] {
            let answer = try await Self.ask(model, pictures)
            #expect(answer.status == 400 && answer.json["error"]?["param"]?.stringValue == "body.messages", "\(pictures)")
        }
        let many = try await Self.ask(model, [(32, 32), (32, 32), (32, 32), (32, 32)]).json["error"]?["message"]?.stringValue
        #expect(many?.contains("At most 3 images") == true)
        let plain = LookingModel(nil)
        #expect(try await Self.ask(plain, [(40, 24), (40, 24)]).status == 400)
        #expect(try await Self.ask(plain, [(40, 24)]).status == 200)
        let request = try #require(plain.seen.withLock { $0.last })
        #expect(request.references.isEmpty && request.input.map { [$0.width, $0.height] } == [48, 32])
    }

    @Test("capabilities tell how many")
    func capabilities() async throws {
        for (limits, most) in [(Self.limits, 3), (nil, 1)] {
            let wire = try await WorkerOnWire(.ready(LookingModel(limits)))
            #expect(try await wire.ask(WorkerProtocol.capabilitiesPath).json["image"]?["max_input_images"]?.intValue == most)
        }
    }
}
