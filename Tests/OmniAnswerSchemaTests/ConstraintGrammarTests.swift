import OmniAPI
import Testing

@testable import OmniAnswerSchema

@Suite("Forms of answers as grammars")
struct ConstraintGrammarTests {
    private func grammar(_ kind: AnswerConstraint.Kind) throws -> String {
        guard case .grammar(let text) = try AnswerConstraint(kind, field: "guided_regex").followed().kind else { return "" }
        return text
    }

    @Test(
        "a regular expression matches the whole answer, character for character",
        arguments: [
            ("[0-9]{3}-[a-c]+", "root ::= [0-9]{3}[\\U0000002D][a-c]+"), ("^yes$", "root ::= [y][e][s]"), ("a|", "root ::= [a] | \"\""),
            ("(x|)\\\\?", "root ::= ([x]|\"\")[\\U0000005C]?"), ("\"\\n", "root ::= [\\U00000022][\\U0000000A]"),
            ("(?:é)", "root ::= ([\\U000000E9])"),
        ])
    func regex(pattern: String, wanted: String) throws { #expect(try grammar(.regex(pattern)) == wanted) }

    @Test("choices are literals")
    func choice() throws {
        #expect(try grammar(.choice(["yes", "no \"way\""])) == "root ::= \"yes\" | \"no\\U00000020\\U00000022way\\U00000022\"")
    }

    @Test("what is no regular expression, or looks ahead, is refused under the field's name", arguments: ["(", "a(?=b)", "a^b"])
    func refused(pattern: String) {
        let error = #expect(throws: APIError.self) { try grammar(.regex(pattern)) }
        #expect(error?.status == 400 && error?.param == "body.guided_regex")
    }

    @Test("a request has one form, and it leaves no room for tools")
    func one() throws {
        func check(_ text: String) throws -> ResponseFormat? {
            let json = try JSONValue.parse("{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\(text)}")
            return try ChatCompletionRequest(json: json).answerFormat
        }
        #expect(
            try check(#""structured_outputs":{"choice":["a","b"]}"#)
                == .constrained(AnswerConstraint(.choice(["a", "b"]), field: "structured_outputs")))
        #expect(try check(#""guided_regex":"a+""#) == .constrained(AnswerConstraint(.regex("a+"), field: "guided_regex")))
        #expect(
            try check(#""guided_json":"{\"type\":\"object\"}""#) == .jsonSchema(name: "answer", schema: JSONObject([("type", "object")])))
        #expect(try check(#""structured_outputs":{"json_object":true},"response_format":{"type":"text"}"#) == .jsonObject)
        let tool = #"[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]"#
        for (text, param) in [
            (#""structured_outputs":{}"#, "structured_outputs"),
            (#""structured_outputs":{"regex":"a","choice":["a"]}"#, "structured_outputs"),
            (#""structured_outputs":{"structural_tag":{}}"#, "structured_outputs.structural_tag"),
            (#""guided_json":"{""#, "guided_json.json"),
            (#""structured_outputs":{"regex":"a"},"guided_regex":"a""#, "guided_regex"),
            (#""guided_regex":"a","response_format":{"type":"json_object"}"#, "guided_regex"),
            (#""guided_choice":["a"],"tools":\#(tool)"#, "guided_choice"),
        ] {
            let error = #expect(throws: APIError.self) { try check(text) }
            #expect(error?.param?.hasSuffix(param) == true, "\(text): \(error?.param ?? "")")
        }
        #expect(try check(#""guided_choice":["a"],"tool_choice":"none","tools":\#(tool)"#) != nil)
    }
}
