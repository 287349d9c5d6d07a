import OmniAPI
import OmniEngine
import OmniRequests
import Testing

@testable import OmniGatewayServer

/// What the gateway refuses by what a video model's worker has told of it.
@Suite struct VideoCheckTests {
    private let defaults = VideoDefaults(
        width: 832, height: 480, frames: 81, fps: 16, steps: 50, guidanceScale: 5, multiple: 16, frameMultiple: 4)

    @Test(arguments: [
        (#"{"size":"99999x99999"}"#, "size"), (#"{"size":"4112x64"}"#, "size"), (#"{"width":4112,"height":64}"#, "width"),
        (#"{"width":64,"height":4112}"#, "height"),
        (#"{"num_frames":1002}"#, "num_frames"), (#"{"seconds":"63"}"#, "seconds"),
        (#"{"seconds":"100","num_frames":50000}"#, "num_frames"),
    ]) func whatIsTooMuchIsNamedAsItWasSent(fields: String, field: String) throws {
        var told = defaults
        (told.longestSide, told.mostFrames) = (4096, 1001)
        let facts = VideoCapabilities(told)
        // As the gateway has it from the worker.
        #expect(try VideoDefaults(VideoCapabilities(json: facts.json)) == told)
        var json = try #require(try JSONValue.parse(fields).objectValue)
        json["prompt"] = "x"
        let request = try VideoGenerationRequest(json: .object(json))
        #expect {
            try VideoJobService.check(request, pictureField: nil, facts)
        } throws: {
            let error = $0 as? APIError
            return error?.status == 400 && error?.param == "body.\(field)" && error?.message.hasPrefix("\(field): ") == true
        }
        try VideoJobService.check(request, pictureField: nil, nil)
    }

    @Test func aPictureThatTheModelCannotTakeIsNamedAsItWasSent() throws {
        let facts = VideoCapabilities(defaults)
        #expect { try VideoJobService.check(VideoGenerationRequest(), pictureField: "image_reference", facts) } throws: {
            ($0 as? APIError)?.param == "body.image_reference"
        }
        try VideoJobService.check(VideoGenerationRequest(), pictureField: nil, facts)
    }
}
