import Testing

@testable import OmniAPI

@Suite struct ImageRequestTests {
    static func parameter<Body: WireObject>(_ type: Body.Type, _ text: String) throws -> String? {
        do {
            _ = try Body(json: try JSONValue.parse(text))
            return nil
        } catch let error as APIError {
            #expect(error.status == 400)
            return error.param
        }
    }

    static let generations: [(String, String?)] = [
        (#"{"prompt":"","size":" 64 x64"}"#, nil), (#"{"prompt":"x","size":"64X64"}"#, "body.size"),
        (#"{"prompt":"x","size":"auto"}"#, nil),
        (#"{"prompt":"x","size":"99999999999999999999x1"}"#, "body.size"), (#"{"prompt":"x","size":"-64x64"}"#, "body.size"),
        (#"{"prompt":"x","n":0}"#, "body.n"), (#"{"prompt":"x","n":"2"}"#, nil),
        (#"{"prompt":"x","output_format":"gif"}"#, "body.output_format"),
        (#"{"prompt":"x","output_format":null}"#, nil), (#"{"prompt":"x","output_compression":null}"#, nil),
        (#"{"prompt":"x","seed":-9223372036854775808}"#, nil), (#"{"prompt":"x","guidance_scale":21}"#, "body.guidance_scale"),
        (#"{"prompt":"x","lora":{"path":"/x"}}"#, "body.lora.name"),
        (#"{"prompt":"x","use_system_prompt":"None"}"#, "body.use_system_prompt"),
        (#"{"prompt":"x","partial_images":4}"#, "body.partial_images"), (#"{"size":"1x1"}"#, "body.prompt"),
    ]

    @Test(arguments: generations) func generationsAreChecked(text: String, parameter: String?) throws {
        #expect(try Self.parameter(ImageGenerationRequest.self, text) == parameter)
    }

    static let edits: [(String, String?)] = [
        (#"{"prompt":"x","size":"AUTO","n":"2","lora":"{\"name\":\"a\",\"path\":\"/b\"}"}"#, nil),
        (#"{"prompt":"x","lora":"[]"}"#, "body.lora"),
        (#"{"prompt":"x","resolution":"512"}"#, "body.resolution"), (#"{"prompt":"x","resolution":"640","size":"1x1"}"#, "body.resolution"),
        (#"{"prompt":"x","response_format":"file"}"#, "body.response_format"), (#"{"prompt":"x","stream":"maybe"}"#, "body.stream"),
    ]

    @Test(arguments: edits) func editsAreChecked(text: String, parameter: String?) throws {
        #expect(try Self.parameter(ImageEditRequest.self, text) == parameter)
    }

    @Test func compressionIsThePeersScale() {
        var output = ImageOutput()
        #expect(output.pngLevel == 6 && output.quality == 100)
        for (given, level) in [(0, 9), (50, 5), (100, 0)] {
            output.compression = given
            #expect(output.pngLevel == level && output.quality == given)
        }
    }

    static func chat(_ fields: String) throws -> (ImageChatRequest, [String]) {
        var ignored = IgnoredFields()
        let json = try JSONValue.parse(
            #"{"messages":[{"role":"system","content":"no"},{"role":"user","content":"a fox "},{"role":"user","content":[{"type":"text","text":"now"}]}],"#
                + fields + "}")
        let request = try ImageChatRequest(json: json, ignored: &ignored)
        return (request, ignored.names)
    }

    @Test func chatParametersComeFromEitherPlace() throws {
        let (request, ignored) = try Self.chat(
            #""seed":7,"temperature":1,"sparkle":1,"extra_body":{"size":"64X32","cfg_scale":4,"glitter":2,"extra_args":{"metadata":true}}"#)
        #expect(request.prompt == "a fox  now")
        #expect(request.parameters.drawing.seed == 7 && request.parameters.size == ImageSize(width: 64, height: 32))
        #expect(request.parameters.drawing.guidance == 4)
        #expect(request.unused == ["temperature"])
        #expect(ignored == ["sparkle", "extra_body.glitter"])
        var more = IgnoredFields()
        #expect(try request.parameters.extras(ignored: &more).metadata)
    }

    @Test(arguments: [
        #""seed":1,"extra_body":{"seed":1}"#, #""true_cfg_scale":1,"cfg_scale":1"#, #""extra_args":{"a":1},"extra_params":{"a":2}"#,
        #""extra_body":[1]"#,
        #""extra_args":5"#, #""extra_body":{"quality":"ultra"}"#, #""n":0"#, #""tools":[{"type":"function"}]"#, #""modalities":"image""#,
    ]) func chatFaultsAreRefused(fields: String) {
        #expect { try Self.chat(fields) } throws: { ($0 as? APIError)?.status == 400 }
    }

    @Test func previewsAreIdleWithoutAStream() throws {
        for (text, idle) in [
            (#""partial_images":2"#, true), (#""partial_images":2,"stream":true"#, false), (#""partial_images":0"#, false),
        ] {
            let json = try JSONValue.parse(#"{"prompt":"x",\#(text)}"#)
            #expect(try ImageGenerationRequest(json: json).idleNames == (idle ? ["partial_images"] : []))
            #expect(try ImageEditRequest(json: json).idleNames == (idle ? ["partial_images"] : []))
        }
    }

    @Test func picturesAreAskedForByTheirParameters() throws {
        for (text, asks) in [
            (#"{"messages":[]}"#, false), (#"{"extra_body":{"height":1}}"#, true), (#"{"num_inference_steps":1}"#, true),
            (#"{"modalities":["text","image"]}"#, true), (#"{"modalities":["text"],"seed":1}"#, false),
        ] {
            #expect(ImageChatRequest.asksForPicture(try JSONValue.parse(text)) == asks)
        }
    }
}
