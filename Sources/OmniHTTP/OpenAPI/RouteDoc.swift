import HTTPTypes
import OmniAPI

/// What the API document says of a route, written beside the route itself. A bare text is a summary: enough for routes that
/// only our own processes call.
public struct RouteDoc: Sendable, ExpressibleByStringLiteral {
    /// The chapters of the document.
    public enum Chapter: String, CaseIterable, Sendable {
        case chat = "Chat and text"
        case retrieval = "Retrieval"
        case images = "Images"
        case videos = "Videos"
        case speech = "Speech"
        case models = "Models"
        case server = "Server"
    }

    /// A file in a form.
    package struct FormFile: Sendable {
        let name: String
        /// The kinds of file, such as `image/*`.
        let mediaType: String
        let about: String
        var isList = false
        var isRequired = false

        package init(name: String, mediaType: String, about: String, isList: Bool = false, isRequired: Bool = false) {
            (self.name, self.mediaType, self.about, self.isList, self.isRequired) = (name, mediaType, about, isList, isRequired)
        }
    }

    struct Body: Sendable {
        var mediaType: String
        var schema: Schema
        var example: JSONValue?
    }

    struct Answer: Sendable {
        var status: Int
        /// Nil where the reply has no body.
        var mediaType: String?
        var schema: Schema?
        var about: String
    }

    struct Parameter: Sendable {
        let name: String
        /// `path` or `query`.
        let place: String
        let isRequired: Bool
        let schema: @Sendable () -> JSONValue
    }

    public let summary: String
    public let chapter: Chapter
    /// The path as the document writes it, where the router's own form says less.
    private(set) var path: String?
    private(set) var parameters: [Parameter] = []
    private(set) var bodies: [Body] = []
    private(set) var bodyIsRequired = true
    private(set) var answers: [Answer] = []
    private(set) var errors: [APIError.Code] = []
    /// Headers of successful replies: name and meaning.
    private(set) var headers: [(name: String, about: String)] = []

    package init(_ summary: String, _ chapter: Chapter, path: String? = nil) {
        (self.summary, self.chapter, self.path) = (summary, chapter, path)
    }

    public init(stringLiteral summary: String) { self.init(summary, .server) }

    /// Whether it says what goes in and what comes out.
    var isComplete: Bool { !answers.isEmpty }
}

// MARK: - Saying it

extension RouteDoc {
    /// A JSON body of this type.
    package func takes<Body: WireObject>(_ type: Body.Type, example: JSONValue? = nil) -> RouteDoc {
        takes(.object(type), example: example)
    }

    package func takes(_ schema: Schema, as mediaType: String = "application/json", example: JSONValue? = nil) -> RouteDoc {
        changed { $0.bodies.append(Body(mediaType: mediaType, schema: schema, example: example)) }
    }

    /// A form with the fields of this type and files beside them.
    package func takesForm<Fields: WireObject>(_ type: Fields.Type, files: [FormFile]) -> RouteDoc {
        takes(.form(type, files: files), as: "multipart/form-data")
    }

    /// The body may be left out.
    package func withOptionalBody() -> RouteDoc { changed { $0.bodyIsRequired = false } }

    /// A JSON reply of this type.
    package func answers<Reply: WireObject>(_ type: Reply.Type, status: Int = 200, _ about: String = "") -> RouteDoc {
        answers(.object(type), status: status, about)
    }

    package func answers(_ schema: Schema, as mediaType: String = "application/json", status: Int = 200, _ about: String = "") -> RouteDoc {
        changed { $0.answers.append(Answer(status: status, mediaType: mediaType, schema: schema, about: about)) }
    }

    /// A reply without a body.
    package func answersNothing(status: Int = 200, _ about: String) -> RouteDoc {
        changed { $0.answers.append(Answer(status: status, mediaType: nil, schema: nil, about: about)) }
    }

    /// Server-sent events whose data are of these schemas.
    package func streams(_ events: [Schema], _ about: String) -> RouteDoc { answers(.events(events), as: "text/event-stream", about) }

    /// Bytes of one of these media types.
    package func answersBytes(_ mediaTypes: [String], status: Int = 200, _ about: String) -> RouteDoc {
        changed { doc in
            for type in mediaTypes { doc.answers.append(Answer(status: status, mediaType: type, schema: .bytes, about: about)) }
        }
    }

    /// Statuses of the error envelope. 500, and 401 under `/v1`, are every route's and need no naming.
    package func fails(_ codes: APIError.Code...) -> RouteDoc { fails(codes) }
    package func fails(_ codes: [APIError.Code]) -> RouteDoc { changed { $0.errors += codes } }

    /// A header that successful replies may carry.
    package func sends(_ name: String, _ about: String) -> RouteDoc { changed { $0.headers.append((name, about)) } }

    /// A parameter in the path.
    package func parameter(_ name: String, _ about: String, _ type: WireType<String> = .string) -> RouteDoc {
        changed {
            $0.parameters.append(
                Parameter(name: name, place: "path", isRequired: true) {
                    var schema = type.schema().objectValue ?? JSONObject()
                    schema["description"] = .string(about)
                    return .object(schema)
                })
        }
    }

    /// The fields of this type in the query.
    package func query<Query: WireObject>(_ type: Query.Type) -> RouteDoc {
        changed { doc in
            for field in Query.fields {
                doc.parameters.append(Parameter(name: field.name, place: "query", isRequired: field.isRequired, schema: field.schema))
            }
        }
    }

    private func changed(_ change: (inout RouteDoc) -> Void) -> RouteDoc {
        var copy = self
        change(&copy)
        return copy
    }
}

extension [APIError.Code] {
    /// Of a body that is read and checked.
    package static let reading: Self = [.badRequest, .invalidRequest, .tooLarge]
    /// Of a request that goes to a model.
    package static let serving: Self = [.notFound, .unavailable, .insufficientStorage]
}
