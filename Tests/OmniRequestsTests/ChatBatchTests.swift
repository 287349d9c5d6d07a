import OmniAPI
import Testing

@testable import OmniRequests

@Suite("Batches of conversations")
struct ChatBatchTests {
    @Test("each conversation becomes a request with the shared fields, never a stream")
    func split() throws {
        let json = try JSONValue.parse(
            #"{"messages":[[{"role":"user","content":"a"}],[{"role":"user","content":"b"}]],"n":2,"stream":true,"stream_options":{}}"#)
        #expect(
            try ChatBatch(json).requests.map(\.jsonText) == [
                #"{"messages":[{"role":"user","content":"a"}],"n":2}"#, #"{"messages":[{"role":"user","content":"b"}],"n":2}"#,
            ])
    }

    @Test(
        "what is no batch is refused with its place",
        arguments: [
            ("[]", "body"), ("{}", "body.messages"), (#"{"messages":[]}"#, "body.messages"), (#"{"messages":"x"}"#, "body.messages"),
            (#"{"messages":[[{"role":"user","content":"a"}],{"role":"user"}]}"#, "body.messages.1"),
        ])
    func refused(text: String, param: String) throws {
        let json = try JSONValue.parse(text)
        #expect { try ChatBatch(json) } throws: { ($0 as? APIError)?.status == 400 && ($0 as? APIError)?.param == param }
    }
}
