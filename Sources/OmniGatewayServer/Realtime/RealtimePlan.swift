import OmniAPI
import OmniHTTP

/// A response that is to be made: what its session and its request ask for.
struct RealtimePlan: Sendable {
    let id: String
    var speaks: Bool
    var instructions: String
    var tools: [ResponseTool]
    var toolChoice: ToolChoice
    var maxOutputTokens: Int?
    var temperature: Double?
    var audio: RealtimeAudioSettings.Output
    var metadata: [String: String]?
    /// Its items become the conversation's.
    var isInConversation: Bool
    /// What it answers; nil for the conversation.
    var input: [RealtimeItem]?
    /// It answers a turn that the server has found, not a request.
    var answersTurn = false

    /// Throws 400 for what cannot be, such as a tool that is not there or a reference to an item that is not.
    init(_ session: RealtimeSession, _ asked: RealtimeResponseRequest = RealtimeResponseRequest(), in conversation: RealtimeConversation)
        throws
    {
        id = RequestID.make("resp_", digits: 24)
        speaks = asked.modalities.map { $0.contains(.audio) } ?? session.speaks
        instructions = asked.instructions ?? session.instructions
        tools = asked.tools ?? session.tools
        toolChoice = asked.toolChoice ?? (asked.tools == nil ? session.toolChoice : .auto)
        maxOutputTokens = asked.maxOutputTokens ?? session.maxOutputTokens
        temperature = asked.temperature ?? session.temperature
        audio = session.audio.output
        audio.voice = asked.audio.output.voice ?? audio.voice
        audio.format = asked.audio.output.format ?? audio.format
        metadata = asked.metadata
        isInConversation = asked.conversation == .auto
        let path = WirePath.root("response")
        try checkTools(tools, toolChoice, at: path)
        input = try asked.input?.enumerated().map { place, json in
            let path = path.appending("input").appending(place)
            guard json["type"] == "item_reference" else {
                return try RealtimeItem(json: json, id: RequestID.make("item_", digits: 24), at: path)
            }
            let id = json["id"]?.stringValue ?? ""
            guard let item = conversation.items.first(where: { $0.id == id }) else {
                throw APIError.field(path.appending("id"), "names the item '\(id.prefix(80))', which is not in the conversation.")
            }
            return item
        }
    }

    /// The chat that it is.
    func chat(_ conversation: RealtimeConversation) -> ChatCompletionRequest {
        var request = ResponsesRequest()
        request.instructions = instructions.isEmpty ? nil : instructions
        (request.tools, request.toolChoice) = (tools, toolChoice)
        (request.maxOutputTokens, request.temperature) = (maxOutputTokens, temperature)
        return request.chat(after: input.map(RealtimeConversation.chatItems) ?? conversation.chatItems)
    }

    /// The response before anything is said.
    func response(conversationID: String) -> RealtimeResponse {
        var response = RealtimeResponse()
        response.id = id
        response.modalities = [speaks ? .audio : .text]
        response.maxOutputTokens = maxOutputTokens
        (response.audio.output.voice, response.audio.output.format) = (audio.voice, audio.format)
        response.metadata = metadata
        response.conversationID = isInConversation ? conversationID : nil
        return response
    }
}
