import OmniAPI
import Testing

@testable import OmniAnswerSchema

@Suite("Schemas as the grammar converter takes them")
struct FollowedSchemaTests {
    private func followed(_ text: String) throws -> JSONValue {
        .object(try FollowedSchema.of(try #require(try JSONValue.parse(text).objectValue)))
    }

    @Test(
        "references lead to definitions at the root, wherever they led",
        arguments: [
            (##"{"properties":{"a":{"$ref":"#/definitions/x~1y"}},"definitions":{"x/y":true}}"##, "x_1y"),
            (##"{"properties":{"a":{"$ref":"#/$defs/Box%5Bint%5D"}},"$defs":{"Box[int]":{"type":"integer"}}}"##, "Box_int"),
            (##"{"properties":{"a":{"$ref":"#here"}},"$defs":{"T":{"$anchor":"here"}}}"##, "here"),
            (#"{"$id":"https://a/b","properties":{"a":{"$ref":"https://a/b#/$defs/T"}},"$defs":{"T":{}}}"#, "T"),
        ])
    func references(schema: String, name: String) throws {
        let result = try followed(schema)
        let reference = result["properties"]?["a"]?["$ref"]?.stringValue
        #expect(reference == "#/$defs/\(name)")
        #expect(result["$defs"]?[name]?.objectValue != nil)
    }

    @Test("a schema may refer to itself, by its root too")
    func recursion() throws {
        let result = try followed(##"{"type":"object","properties":{"sub":{"type":"array","items":{"$ref":"#"}}}}"##)
        #expect(result["properties"]?["sub"]?["items"]?["$ref"] == "#/$defs/whole")
        #expect(result["$defs"]?["whole"]?["properties"]?["sub"]?["items"]?["$ref"] == "#/$defs/whole")
    }

    @Test(
        "what cannot be followed says why",
        arguments: [
            (##"{"$ref":"other.json"}"##, "leads out"), (##"{"$ref":"#/$defs/none"}"##, "leads nowhere"),
            (##"{"properties":{"a":5}}"##, "where a schema belongs"),
            (##"{"allOf":[{"$ref":"#"},{"type":"object"}],"type":"object"}"##, "without end"),
            (##"{"allOf":[{"type":"string"},{"type":"integer"}]}"##, "no answer"),
            (#"{"anyOf":[]}"#, "no list"), (#"{"$ref":5}"#, "no string"),
        ])
    func faults(schema: String, reason: String) throws {
        let error = #expect(throws: FollowedSchema.Fault.self) { _ = try followed(schema) }
        #expect(error?.reason.contains(reason) == true, "\(error as Any)")
    }

    @Test("parts of an allOf are taken together, alternatives with what stands beside them")
    func combinations() throws {
        let all = try followed(#"{"allOf":[{"type":"integer","minimum":1},{"type":"number","minimum":3,"maximum":9}]}"#)
        #expect(all == ["type": "integer", "minimum": 3, "maximum": 9])
        let any = try followed(
            #"{"type":"object","properties":{"a":{"type":"integer"}},"anyOf":[{"required":["a"]},{"properties":{"a":{"maximum":1}}}]}"#)
        #expect(any["anyOf"]?.arrayValue?.count == 2)
        #expect(any["anyOf"]?.arrayValue?[0]["required"] == ["a"])
        #expect(any["anyOf"]?.arrayValue?[1]["properties"]?["a"] == ["type": "integer", "maximum": 1])
    }

    @Test("a tool of type custom is told what would do, an empty list of tools is none, allowed tools are taken")
    func tools() throws {
        func decode(_ fields: String) throws -> ChatCompletionRequest {
            try ChatCompletionRequest(json: JSONValue.parse(#"{"messages":[{"role":"user","content":"hi"}],\#(fields)}"#))
        }
        let error = #expect(throws: APIError.self) { _ = try decode(#""tools":[{"type":"custom","custom":{"name":"x"}}]"#) }
        #expect(error?.status == 400 && error?.message.contains("`function` whose parameters") == true)
        #expect(try decode(#""tools":[]"#).tools?.isEmpty != false)
        #expect(throws: APIError.self) { _ = try decode(#""tools":[],"tool_choice":"required""#) }
        let tools = #""tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]"#
        func allowed(_ mode: String, _ name: String) -> String {
            #"\#(tools),"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"\#(mode)","tools":[{"type":"function","function":{"name":"\#(name)"}}]}}"#
        }
        #expect(try decode(allowed("auto", "g")).toolChoice == .allowed(["g"], isRequired: false))
        #expect(try decode(allowed("required", "g")).toolChoice == .allowed(["g"], isRequired: true))
        #expect(throws: APIError.self) { _ = try decode(allowed("required", "h")) }
        #expect(throws: APIError.self) { _ = try decode(allowed("never", "g")) }
        let request = try decode(allowed("auto", "g"))
        #expect(try ChatCompletionRequest(json: request.json).toolChoice == request.toolChoice)
    }
}
