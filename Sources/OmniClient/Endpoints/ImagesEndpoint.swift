import Foundation
import OmniAPI

/// What a stream of pictures brings.
public enum ImageUpdate: Sendable, Equatable {
    /// How far the work is: `denoise` and so on, `step` of `steps`. From swift-omni only.
    case progress(stage: String, step: Int, steps: Int)
    /// A picture on the way.
    case preview(ImageStreamEvent)
    /// A finished picture.
    case completed(ImageStreamEvent)
    /// What a model thinks before it draws. From vLLM-Omni only.
    case thought(String)
}

/// Pictures to change, and where.
public struct EditInputs: Sendable {
    public var pictures: [Upload]
    /// Where to draw anew: where it is transparent.
    public var mask: Upload?

    public init(_ picture: Upload, mask: Upload? = nil) {
        pictures = [picture]
        self.mask = mask
    }

    /// Several pictures go out as OpenAI wants them, under a name that swift-omni and vLLM-Omni know too.
    var files: [(name: String, upload: Upload)] {
        pictures.map { (pictures.count == 1 ? "image" : "image[]", $0) } + (mask.map { [("mask", $0)] } ?? [])
    }
}

extension OmniClient {
    /// `/v1/images/generations` and `/v1/images/edits`.
    public var images: Images { Images(transport: transport) }

    public struct Images: Sendable {
        let transport: Transport

        public func generate(_ request: ImageGenerationRequest, _ options: CallOptions = CallOptions()) async throws -> ImageReply {
            var request = request
            request.stream = false
            request.responseFormat = .base64
            return try await transport.json(.post("/v1/images/generations", request, options))
        }

        /// Pictures with their previews (`partialImages`, 0 to 3) and progress.
        public func streamGeneration(_ request: ImageGenerationRequest, _ options: CallOptions = CallOptions()) async throws -> EventStream<
            ImageUpdate
        > {
            var request = request
            request.stream = true
            request.responseFormat = .base64
            return Self.updates(try await transport.send(.post("/v1/images/generations", request, options)), kind: "image_generation")
        }

        /// The files as they are: one picture, or a zip of several. swift-omni and vLLM-Omni only.
        public func file(_ request: ImageGenerationRequest, _ options: CallOptions = CallOptions()) async throws -> ByteStream {
            var request = request
            request.stream = false
            request.responseFormat = .file
            return try await transport.bytes(.post("/v1/images/generations", request, options))
        }

        public func edit(_ request: ImageEditRequest, _ inputs: EditInputs, _ options: CallOptions = CallOptions()) async throws
            -> ImageReply
        {
            var request = request
            request.stream = false
            return try await transport.json(.form("/v1/images/edits", request, files: inputs.files, options))
        }

        public func streamEdit(_ request: ImageEditRequest, _ inputs: EditInputs, _ options: CallOptions = CallOptions()) async throws
            -> EventStream<ImageUpdate>
        {
            var request = request
            request.stream = true
            return Self.updates(
                try await transport.send(.form("/v1/images/edits", request, files: inputs.files, options)), kind: "image_edit")
        }

        private static func updates(_ reply: Reply, kind: String) -> EventStream<ImageUpdate> {
            EventStream(
                reply,
                read: { item in
                    switch item {
                    case .comment(let text): return .elements(ImageUpdate(comment: text).map { [$0] } ?? [])
                    case .event(let event):
                        guard event.data != "[DONE]" else { return .end }
                        let json = try JSONValue.parse(event.data)
                        if let error = json["error"], !error.isNull { throw OmniError(json: json, status: nil, requestID: nil) }
                        return .elements(try ImageUpdate.read(json, kind: kind))
                    }
                },
                whole: { try ImageUpdate.completed(ImageReply(json: $0, at: .root("reply")), kind: kind) })
        }
    }
}

extension ImageUpdate {
    /// `denoise 3/20`.
    init?(comment: String) {
        let words = comment.split(separator: " ")
        guard words.count == 2 else { return nil }
        let counts = words[1].split(separator: "/").map { Int($0) }
        guard counts.count == 2, let step = counts[0], let steps = counts[1] else { return nil }
        self = .progress(stage: String(words[0]), step: step, steps: steps)
    }

    /// An event in OpenAI's shape or in vLLM-Omni's; nothing for one that is not known.
    static func read(_ json: JSONValue, kind: String) throws -> [ImageUpdate] {
        if json["object"] == "image.edit.chunk" {
            switch json["type"]?.stringValue {
            case "ar_delta": return [.thought(json["delta"]?.stringValue ?? "")]
            case "image": return try completed(ImageReply(json: json, at: .root("event")), kind: kind)
            default: return []
            }
        }
        guard let type = json["type"]?.stringValue else { return [] }
        let event = try ImageStreamEvent(json: json, at: .root("event"))
        if event.isPreview { return [.preview(event)] }
        return type.hasSuffix(".completed") ? [.completed(event)] : []
    }

    /// The pictures of a whole reply as events.
    static func completed(_ reply: ImageReply, kind: String) throws -> [ImageUpdate] {
        try reply.data.enumerated().map { index, datum in
            guard let base64 = datum.base64 else { throw OmniError(.unreadable, "The reply has a picture without its bytes.") }
            var event = ImageStreamEvent()
            event.type = "\(kind).completed"
            event.base64 = base64
            event.index = index
            event.createdAt = reply.created
            event.size = reply.size
            event.outputFormat = reply.outputFormat
            event.metrics = reply.metrics
            return .completed(event)
        }
    }
}
