import Testing

@testable import OmniAPI

@Suite struct VideoRequestTests {
    /// A form as JSON, the parameter at fault, and the kind of error: the form's, or the request model's.
    static let faults: [(String, String, APIError.Code)] = [
        (#"{}"#, "body.prompt", .badRequest),
        (#"{"prompt":"x","seconds":"abc"}"#, "body.seconds", .badRequest), (#"{"prompt":"x","seconds":"-1"}"#, "body.seconds", .badRequest),
        (#"{"prompt":"x","seconds":"0"}"#, "body.seconds", .badRequest),
        (#"{"prompt":"x","seconds":"99999999999999999999"}"#, "body.seconds", .badRequest),
        (#"{"prompt":"x","size":"foo"}"#, "body.size", .badRequest), (#"{"prompt":"x","size":"64x"}"#, "body.size", .badRequest),
        (#"{"prompt":"x","size":" 64x64"}"#, "body.size", .badRequest), (#"{"prompt":"x","size":"0x0"}"#, "body.size", .invalidRequest),
        (#"{"prompt":"x","width":"0"}"#, "body.width", .invalidRequest), (#"{"prompt":"x","width":"wide"}"#, "body.width", .badRequest),
        (#"{"prompt":"x","num_frames":"0"}"#, "body.num_frames", .invalidRequest),
        (#"{"prompt":"x","fps":"0.5"}"#, "body.fps", .badRequest),
        (#"{"prompt":"x","num_inference_steps":"201"}"#, "body.num_inference_steps", .invalidRequest),
        (#"{"prompt":"x","guidance_scale":"20.5"}"#, "body.guidance_scale", .invalidRequest),
        (#"{"prompt":"x","guidance_scale_2":"-1"}"#, "body.guidance_scale_2", .invalidRequest),
        (#"{"prompt":"x","boundary_ratio":"1.5"}"#, "body.boundary_ratio", .invalidRequest),
        (#"{"prompt":"x","flow_shift":"nan"}"#, "body.flow_shift", .badRequest),
        (#"{"prompt":"x","seed":"1.5"}"#, "body.seed", .badRequest),
        (#"{"prompt":"x","quality":"ultra"}"#, "body.quality", .invalidRequest),
        (#"{"prompt":"x","num_outputs_per_prompt":"11"}"#, "body.num_outputs_per_prompt", .badRequest),
        (#"{"prompt":"x","short_edge":"0"}"#, "body.short_edge", .badRequest),
        (#"{"prompt":"x","sound_duration":"0"}"#, "body.sound_duration", .badRequest),
        (#"{"prompt":"x","extra_params":"{oops"}"#, "body.extra_params", .badRequest),
        (#"{"prompt":"x","extra_params":"[]"}"#, "body.extra_params", .badRequest),
        (#"{"prompt":"x","lora":"{\"path\":\"/x\"}"}"#, "body.lora.name", .badRequest),
        (#"{"prompt":"x","image_reference":"{oops"}"#, "body.image_reference", .badRequest),
        (#"{"prompt":"x","image_reference":"{\"file_id\":\"f1\"}"}"#, "body.image_reference.file_id", .badRequest),
        (#"{"prompt":"x","image_reference":"{\"image_url\":\"http://a/b\",\"x\":1}"}"#, "body.image_reference.x", .invalidRequest),
        (#"{"prompt":"x","image_reference":"{\"image_url\":\"file:///etc/passwd\"}"}"#, "body.image_reference.image_url", .badRequest),
        (
            #"{"prompt":"x","image_reference":[{"image_url":"http://a/b"},{"image_url":7}]}"#, "body.image_reference.1.image_url",
            .badRequest
        ),
        (
            #"{"prompt":"x","input_reference":{"image_url":"http://a/b"},"image_reference":{"image_url":"http://a/c"}}"#,
            "body.input_reference", .badRequest
        ),
        (#"{"prompt":"x","webhook_url":"ftp://a/b"}"#, "body.webhook_url", .badRequest),
    ]

    @Test(arguments: faults) func faultsAreNamed(text: String, parameter: String, code: APIError.Code) throws {
        let json = try JSONValue.parse(text)
        let error = #expect(throws: APIError.self) { try VideoGenerationRequest(json: json) }
        #expect(error?.param == parameter && error?.code == code)
    }

    @Test func aFormIsRead() throws {
        let json = try JSONValue.parse(
            #"""
            {"prompt":"a fox","seconds":"2","size":"64x48","width":"9","fps":"8","seed":"-3","quality":"high","true_cfg_scale":"4","user":"me","sparkle":"1",
             "image_reference":"[{\"image_url\":\"https://a/b.png\"},{\"image_url\":\"data:image/png;base64,AA==\"}]"}
            """#)
        var ignored = IgnoredFields()
        let request = try VideoGenerationRequest(json: json, ignored: &ignored)
        #expect(request.seconds == 2 && request.askedSize == ImageSize(width: 64, height: 48) && request.fps == 8 && request.seed == -3)
        #expect(request.quality == .high && request.guidance == 4 && request.imageReferences?.count == 2)
        #expect(request.pictureReference?.url == "https://a/b.png")
        #expect(ignored.names == ["sparkle"])
    }

    @Test func aRequestSurvivesItsRowInTheStore() throws {
        let json = try JSONValue.parse(
            #"""
            {"prompt":"a fox","seconds":3,"size":"64x48","num_frames":9,"fps":8.5,"lora":{"name":"a","path":"b"},"extra_params":{"k":[1]},
             "input_reference":{"image_url":"https://a/b.png"},"webhook_url":"https://a/hook","boundary_ratio":0.875}
            """#)
        let request = try VideoGenerationRequest(json: json)
        #expect(try VideoGenerationRequest(json: try JSONValue.parse(request.json.jsonText)) == request)
    }
}

@Suite struct VideoReplyTests {
    static let members = """
        model,prompt,id,object,status,size,progress,seconds,quality,completed_at,created_at,remixed_from_video_id,error,media_type,expires_at,file_name,\
        inference_time_s,fps,num_frames,duration_s,metrics,stage_durations,peak_memory_mb,action,stage,step,steps,queue_position,eta_seconds
        """

    @Test func aJobShowsEveryMember() throws {
        var job = VideoJob()
        (job.id, job.model, job.prompt, job.createdAt) = ("video_gen_1", "wan", "x", 1_795_368_839)
        let object = try #require(job.json.objectValue)
        #expect(object.keys.joined(separator: ",") == Self.members)
        #expect(object["object"] == "video" && object["error"] == .null && object["stage_durations"] == [:] && object["action"] == .null)
        job.status = .failed
        job.error = VideoJobError(code: 400, message: "no")
        #expect(try VideoJob(json: try JSONValue.parse(job.json.jsonText)) == job)
    }

    @Test(arguments: [("500", 500), ("507", 507), (#""400""#, 400), (#""moderation_blocked""#, 500)]) func errorsOfAllServersAreRead(
        code: String, status: Int
    ) throws {
        let error = try VideoJobError(json: try JSONValue.parse(#"{"code":\#(code),"message":"no"}"#))
        #expect(error == VideoJobError(code: status, message: "no"))
    }

    @Test func anEmptyListHasNullIds() {
        #expect(
            VideoJobList([], hasMore: false).json == ["first_id": nil, "last_id": nil, "has_more": false, "data": [], "object": "list"])
    }

    @Test(arguments: [("101", "query.limit"), ("-1", "query.limit"), ("abc", "query.limit")]) func pagesAreLimited(
        limit: String, parameter: String
    ) {
        let error = #expect(throws: APIError.self) { try VideoListQuery(json: ["limit": .string(limit)], at: .root("query")) }
        #expect(error?.param == parameter)
    }

    @Test func eventsAreReadAsTheyAreWritten() throws {
        var job = VideoJob()
        job.status = .inProgress
        let events: [VideoJobEvent] = [.job(job), .deleted(VideoDeleted(id: "video_gen_1"))]
        #expect(events.map(\.name) == ["video.in_progress", "video.deleted"] && events.map(\.isLast) == [false, true])
        for event in events { #expect(try VideoJobEvent(name: event.name, json: event.json) == event) }
        #expect(try VideoJobEvent(name: "audio.done", json: [:]) == nil)
    }
}
