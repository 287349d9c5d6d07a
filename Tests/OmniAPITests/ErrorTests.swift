import OmniAPI
import Testing

@Suite("Errors")
struct ErrorTests {
    /// The whole table of the contract: SEED.md's statuses and API.md, section 2.
    static let table: [(code: APIError.Code, status: Int, type: String)] = [
        (.badRequest, 400, "Bad Request"), (.invalidRequest, 400, "BadRequestError"), (.unauthorized, 401, "AuthenticationError"),
        (.invalidAPIKey, 401, "invalid_request_error"), (.permissionDenied, 403, "PermissionDeniedError"),
        (.rateLimited, 429, "RateLimitError"), (.notFound, 404, "NotFoundError"),
        (.methodNotAllowed, 405, "Method Not Allowed"), (.requestTimeout, 408, "Request Timeout"), (.conflict, 409, "Conflict"),
        (.tooLarge, 413, "RequestTooLargeError"),
        (.unsupportedMediaType, 415, "Unsupported Media Type"), (.unprocessable, 422, "Unprocessable Entity"),
        (.upgradeRequired, 426, "Upgrade Required"),
        (.headTooLarge, 431, "Request Header Fields Too Large"), (.clientGone, 499, "ClientDisconnected"),
        (.internalError, 500, "InternalServerError"), (.notImplemented, 501, "NotImplementedError"),
        (.unavailable, 503, "ServiceUnavailableError"),
        (.timeout, 504, "Gateway Timeout"), (.insufficientStorage, 507, "InsufficientStorageError"),
    ]

    @Test("each code has its status and type, and none is missing here")
    func codes() {
        for row in Self.table {
            #expect(row.code.status == row.status && row.code.type == row.type, "\(row.code.name)")
        }
        #expect(Set(Self.table.map(\.code)) == Set(APIError.Code.all))
        #expect(Set(APIError.Code.all.map(\.name)).count == APIError.Code.all.count)
    }

    @Test("the envelope has all four keys, null included", arguments: APIError.Code.all)
    func envelope(code: APIError.Code) {
        let bare = APIError(code, "It broke.")
        #expect(bare.json.jsonText == #"{"error":{"message":"It broke.","type":"\#(code.type)","param":null,"code":\#(code.status)}}"#)
        let full = APIError(code, "It broke.", remedy: "Mend it.", param: "body.n", retryAfter: 3)
        #expect(
            full.json.jsonText
                == #"{"error":{"message":"It broke. Mend it.","type":"\#(code.type)","param":"body.n","code":\#(code.status)}}"#)
        #expect(full.description.contains("It broke. Mend it.") && full.description.contains("body.n"))
    }

    @Test("an unknown error tells the client nothing but its id")
    func unexpected() {
        let error = APIError.unexpected(requestID: "r-1")
        #expect(error.status == 500 && error.param == nil && error.fullMessage.contains("r-1"))
    }

    @Test("an unknown model names itself, what is served, and the field")
    func unknownModel() {
        let error = APIError.modelNotFound("x", served: ["a", "b"])
        #expect(error.status == 404 && error.type == "NotFoundError" && error.param == "model")
        #expect(error.fullMessage == "The model `x` does not exist. Served models: a, b.")
        #expect(APIError.modelNotFound("x", served: []).fullMessage == "The model `x` does not exist.")
        #expect(APIError(.notFound, "Video not found", remedy: "Ask again.").fullMessage == "Video not found. Ask again.")
        #expect(APIError(.notFound, "Video not found").fullMessage == "Video not found")
    }

    @Test("a field's path is written with dots from the body on, and read out without it")
    func paths() {
        let path = WirePath.body.appending("items").appending(0).appending("speed")
        #expect(path.text == "body.items.0.speed")
        let error = APIError.field(path, "must be a number.")
        #expect(error.param == "body.items.0.speed" && error.message == "items.0.speed: must be a number." && error.status == 400)
    }
}
