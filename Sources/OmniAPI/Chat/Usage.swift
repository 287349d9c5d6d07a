/// Token counts of one request.
public struct Usage: Sendable, Equatable {
    public var promptTokens: Int
    public var completionTokens: Int
    /// Prompt tokens whose keys and values were reused from an earlier request.
    public var cachedTokens: Int
    /// How a prediction fared; nil where the request had none.
    public var prediction: Prediction?
    /// Codes of sound that the model spoke its answer with, beside the completion's tokens; nil where it spoke none.
    public var audioTokens: Int?

    /// Tokens that were guessed with a request's prediction at hand.
    public struct Prediction: Sendable, Equatable {
        /// Guessed tokens that the answer has.
        public var accepted = 0
        /// Guesses that the answer went on otherwise than.
        public var rejected = 0

        public init(accepted: Int = 0, rejected: Int = 0) {
            self.accepted = accepted
            self.rejected = rejected
        }
    }

    public init(promptTokens: Int = 0, completionTokens: Int = 0, cachedTokens: Int = 0) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cachedTokens = cachedTokens
    }

    public var json: JSONValue {
        var json = JSONObject([
            ("prompt_tokens", .int(promptTokens)), ("total_tokens", .int(promptTokens + completionTokens)),
            ("completion_tokens", .int(completionTokens)), ("prompt_tokens_details", ["cached_tokens": .int(cachedTokens)]),
        ])
        var details = JSONObject()
        if let audioTokens { details["audio_tokens"] = .int(audioTokens) }
        if let prediction {
            details["accepted_prediction_tokens"] = .int(prediction.accepted)
            details["rejected_prediction_tokens"] = .int(prediction.rejected)
        }
        if !details.isEmpty { json.append("completion_tokens_details", .object(details)) }
        return .object(json)
    }

    public init(json: JSONValue) {
        promptTokens = json["prompt_tokens"]?.intValue ?? 0
        completionTokens = json["completion_tokens"]?.intValue ?? 0
        cachedTokens = json["prompt_tokens_details"]?["cached_tokens"]?.intValue ?? 0
        let details = json["completion_tokens_details"]
        audioTokens = details?["audio_tokens"]?.intValue
        let counts = ["accepted", "rejected"].compactMap { details?["\($0)_prediction_tokens"]?.intValue }
        if counts.count == 2 { prediction = Prediction(accepted: counts[0], rejected: counts[1]) }
    }

    public static func + (left: Usage, right: Usage) -> Usage {
        var sum = Usage(
            promptTokens: left.promptTokens + right.promptTokens, completionTokens: left.completionTokens + right.completionTokens,
            cachedTokens: left.cachedTokens + right.cachedTokens)
        let predictions = [left.prediction, right.prediction].compactMap(\.self)
        if !predictions.isEmpty {
            sum.prediction = predictions.reduce(into: Prediction()) { sum, part in
                sum.accepted += part.accepted
                sum.rejected += part.rejected
            }
        }
        let codes = [left.audioTokens, right.audioTokens].compactMap(\.self)
        if !codes.isEmpty { sum.audioTokens = codes.reduce(0, +) }
        return sum
    }
}

/// Why an answer ended.
public enum FinishReason: String, Sendable {
    case stop, length, toolCalls = "tool_calls", contentFilter = "content_filter"
}

/// A token with the logarithm of its probability.
public struct TokenLogprob: Sendable, Equatable {
    public var token: String
    public var logprob: Double
    /// The token's own bytes; `token` may hold a replacement character where they are half a character.
    public var bytes: [UInt8]
    public var top: [TokenLogprob]

    public init(token: String, logprob: Double, bytes: [UInt8], top: [TokenLogprob] = []) {
        self.token = token
        self.logprob = logprob
        self.bytes = bytes
        self.top = top
    }

    /// The shape in chat replies.
    public var json: JSONValue { entry(withTop: true) }

    private func entry(withTop: Bool) -> JSONValue {
        var object = JSONObject([
            ("token", .string(token)), ("logprob", .number(max(logprob, -9999))), ("bytes", .array(bytes.map { .int(Int($0)) })),
        ])
        if withTop { object.append("top_logprobs", .array(top.map { $0.entry(withTop: false) })) }
        return .object(object)
    }
}

extension TokenLogprob {
    /// As replies say it. What is missing is empty, as other servers leave parts out.
    public init(json: JSONValue) {
        self.init(
            token: json["token"]?.stringValue ?? "", logprob: json["logprob"]?.doubleValue ?? 0,
            bytes: (json["bytes"]?.arrayValue ?? []).compactMap { $0.intValue.flatMap(UInt8.init(exactly:)) },
            top: (json["top_logprobs"]?.arrayValue ?? []).map { TokenLogprob(json: $0) })
    }
}

extension WireType where Value == Usage {
    /// Token counts; those that are missing are 0.
    public static var usage: WireType {
        WireType(
            decode: { json, _ in Usage(json: json) }, encode: \.json,
            schema: {
                let count: JSONValue = ["type": "integer", "minimum": 0]
                return [
                    "type": "object", "required": ["prompt_tokens", "total_tokens", "completion_tokens"],
                    "properties": [
                        "prompt_tokens": count, "total_tokens": count, "completion_tokens": count,
                        "prompt_tokens_details": [
                            "anyOf": [["type": "object", "properties": ["cached_tokens": count]], ["type": "null"]]
                        ],
                        "completion_tokens_details": [
                            "anyOf": [
                                [
                                    "type": "object",
                                    "properties": [
                                        "accepted_prediction_tokens": count, "rejected_prediction_tokens": count, "audio_tokens": count,
                                    ],
                                ],
                                ["type": "null"],
                            ]
                        ],
                    ],
                ]
            })
    }
}

extension WireType where Value == TokenLogprob {
    static var tokenLogprob: WireType {
        WireType(
            decode: { json, _ in TokenLogprob(json: json) }, encode: \.json,
            schema: {
                let bytes: JSONValue = [
                    "anyOf": [["type": "array", "items": ["type": "integer", "minimum": 0, "maximum": 255]], ["type": "null"]]
                ]
                let top: JSONValue = [
                    "type": "object", "required": ["token", "logprob"],
                    "properties": ["token": ["type": "string"], "logprob": ["type": "number"], "bytes": bytes],
                ]
                return [
                    "type": "object", "required": ["token", "logprob"],
                    "properties": [
                        "token": ["type": "string"], "logprob": ["type": "number"], "bytes": bytes,
                        "top_logprobs": ["type": "array", "items": top],
                    ],
                ]
            })
    }
}
