import Foundation
import OmniAPI

/// Writes the chat replies of image models (API.md, section 6).
struct ImageChatReply: Sendable {
    struct Answer: Sendable {
        let parts: JSONValue
        let usage: Usage
    }

    let id: String
    let model: String
    private let created = Int(Date().timeIntervalSince1970)

    init(id: String, model: String) {
        self.id = "chatcmpl-\(id)"
        self.model = model
    }

    func answer(_ pictures: ImageService.Pictures, to asked: ImageChatRequest) -> Answer {
        let parts = pictures.files.map { file -> JSONValue in
            [
                "type": "image_url", "image_url": ["url": file.dataURL],
                "stage_durations": pictures.clock.durations, "peak_memory_mb": StageClock.peakMemory,
            ]
        }
        let words = asked.prompt.split(whereSeparator: \.isWhitespace).count
        return Answer(parts: .array(parts), usage: Usage(promptTokens: words, completionTokens: 1))
    }

    /// One choice for each answer.
    func completion(_ answers: [Answer]) -> JSONValue {
        let choices = answers.enumerated().map { index, answer -> JSONValue in
            [
                "index": .int(index),
                "message": [
                    "role": "assistant", "content": answer.parts, "refusal": nil, "annotations": nil, "audio": nil, "function_call": nil,
                    "reasoning": nil,
                ],
                "logprobs": nil, "finish_reason": "stop", "stop_reason": nil, "token_ids": nil, "routed_experts": nil,
            ]
        }
        return [
            "id": .string(id), "object": "chat.completion", "created": .int(created), "model": .string(model), "choices": .array(choices),
            "service_tier": nil, "system_fingerprint": nil, "usage": usage(answers.reduce(Usage()) { $0 + $1.usage }),
            "prompt_logprobs": nil,
            "prompt_token_ids": nil, "prompt_text": nil, "kv_transfer_params": nil, "ec_transfer_params": nil, "metrics": nil,
        ]
    }

    /// The one chunk with the pictures.
    func chunk(_ answer: Answer) -> JSONValue {
        [
            "id": .string(id), "object": "chat.completion.chunk", "created": .int(created), "model": .string(model),
            "choices": [
                [
                    "index": 0, "delta": ["role": "assistant", "content": answer.parts], "logprobs": nil, "finish_reason": "stop",
                    "stop_reason": nil, "token_ids": nil,
                ]
            ],
            "metrics": nil, "modality": "image",
        ]
    }

    func usageChunk(_ answer: Answer) -> JSONValue {
        [
            "id": .string(id), "object": "chat.completion.chunk", "created": .int(created), "model": .string(model), "choices": [],
            "usage": usage(answer.usage),
        ]
    }

    private func usage(_ usage: Usage) -> JSONValue {
        [
            "prompt_tokens": .int(usage.promptTokens), "total_tokens": .int(usage.promptTokens + usage.completionTokens),
            "completion_tokens": .int(usage.completionTokens), "prompt_tokens_details": nil, "completion_tokens_details": nil,
        ]
    }
}
