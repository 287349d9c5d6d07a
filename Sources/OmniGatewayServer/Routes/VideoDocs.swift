import HTTPTypes
import OmniAPI
import OmniHTTP

/// What the API document says of the video routes.
enum VideoDocs {
    static var create: RouteDoc {
        takesVideoRequest("Queues a clip to be generated; the reply is the job.")
            .answers(VideoJob.self, "The job, `queued`.")
            .fails(.conflict)
    }

    static var sync: RouteDoc {
        takesVideoRequest("Generates a clip and answers with it.")
            .answersBytes(["video/mp4"], "The clip.")
            .fails(.notImplemented, .timeout)
    }

    static var list: RouteDoc {
        RouteDoc("The video jobs, the newest first.", .videos).query(VideoListQuery.self).answers(VideoJobList.self).fails(.badRequest)
    }

    /// Of a route about one job.
    static func about(_ summary: String) -> RouteDoc {
        RouteDoc(summary, .videos).parameter("id", "The job's id.").fails(.notFound)
    }

    static func content(_ method: HTTPRequest.Method) -> RouteDoc {
        let doc = about("The clip of a finished job, or its thumbnail.").query(VideoContentQuery.self).fails(.badRequest, .unprocessable)
        guard method == .get else { return doc.answersNothing("What a GET would answer, without the file.") }
        return doc.answersNothing(status: 416, "The file has no such range.").answersBytes(
            VideoVariant.allCases.map(\.contentType), "The file."
        ).answersBytes(["video/mp4"], status: 206, "With `Range`: a part of it.")
    }

    static var events: RouteDoc {
        about("What a video job does, as server-sent events.")
            .streams(
                [.object(VideoJob.self), .object(VideoDeleted.self)], "The job as it is, then each change until it is over or deleted.")
    }

    private static func takesVideoRequest(_ summary: String) -> RouteDoc {
        let files: [RouteDoc.FormFile] = [
            .init(name: "input_reference", mediaType: "image/*", about: "The picture to start from, as a file."),
            .init(
                name: "input_references", mediaType: "image/*", about: "The same as a list; the first is the clip's first frame.",
                isList: true),
        ]
        return RouteDoc(summary, .videos)
            .takesForm(VideoGenerationRequest.self, files: files)
            .takes(VideoGenerationRequest.self, example: ["prompt": "waves roll onto a beach", "seconds": "2"])
            .sends("x-ignored-params", "Fields of the request that had no effect.")
            .fails(.reading + .serving)
    }
}

/// The query of `GET /v1/videos/{id}/content`.
struct VideoContentQuery: WireObject {
    var variant = VideoVariant.video

    static var fields: [Field<VideoContentQuery>] { [.with(default: .video, "variant", \.variant, .choice, "Which file.")] }
}
