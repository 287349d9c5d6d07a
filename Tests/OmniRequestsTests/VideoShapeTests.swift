import OmniAPI
import OmniEngine
import Testing

@testable import OmniRequests

@Suite struct VideoShapeTests {
    private let defaults = VideoDefaults(
        width: 832, height: 480, frames: 81, fps: 16, steps: 50, guidanceScale: 5, multiple: 16, frameMultiple: 4)

    private func plan(_ fields: String, picture: ImageSize? = nil) throws -> VideoShape {
        var json = try #require(try JSONValue.parse(fields).objectValue)
        json["prompt"] = "x"
        return try VideoShape(try VideoGenerationRequest(json: .object(json)), defaults, picture: picture)
    }

    @Test func whatIsLeftOpenIsTheModels() throws {
        let plan = try plan("{}")
        #expect(plan.size == ImageSize(width: 832, height: 480) && plan.frames == 81 && plan.drawnFrames == 81 && plan.fps == 16)
    }

    @Test func moreIsDrawnThanIsShown() throws {
        let plan = try plan(#"{"size":"100x50","num_frames":6}"#)
        #expect(plan.drawnSize == ImageSize(width: 112, height: 64) && plan.drawnFrames == 9 && plan.frames == 6)
    }

    @Test func secondsCountWhereFramesAreAbsent() throws {
        #expect(try plan(#"{"seconds":"2","fps":8}"#).frames == 16)
        #expect(try plan(#"{"seconds":"2"}"#).frames == 32)
        #expect(try plan(#"{"seconds":"2","num_frames":3}"#).frames == 3)
    }

    @Test func aPictureGivesTheProportions() throws {
        let plan = try plan("{}", picture: ImageSize(width: 1000, height: 1000))
        #expect(plan.size == ImageSize(width: 624, height: 624))
        #expect(try self.plan(#"{"size":"64x32"}"#, picture: ImageSize(width: 9, height: 9)).size == ImageSize(width: 64, height: 32))
    }

    @Test(arguments: [#"{"size":"16385x16"}"#, #"{"size":"1x16"}"#, #"{"num_frames":65537}"#, #"{"seconds":"2147483647","fps":240}"#])
    func whatNoClipCanBeIsRefused(fields: String) {
        let error = #expect(throws: APIError.self) { try plan(fields) }
        #expect(error?.status == 400 && error?.param != nil)
    }
}
