import ArgumentParser
import Foundation
import OmniClient

/// `omni jobs`: the videos that are made, wait, or are done.
struct JobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "List video jobs, wait for one, or cancel it.",
        subcommands: [List.self, Show.self, Wait.self, Cancel.self], defaultSubcommand: List.self)

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "List the jobs, the newest first.", discussion: ClientExit.help)
        @Option(help: "Most jobs to list.") var limit = 20
        @OptionGroup var connection: ConnectionFlags

        func validate() throws {
            if !(1...100).contains(limit) { throw ValidationError("--limit must be from 1 to 100, not \(limit).") }
        }

        func perform(_ client: OmniClient) async throws {
            var query = VideoListQuery()
            query.limit = limit
            let page = try await client.videos.list(query)
            if connection.json { return Output.line(page.json.jsonText) }
            if page.data.isEmpty { return Output.note("No jobs.") }
            for job in page.data { Output.line(JobsCommand.line(job)) }
            if page.hasMore { Output.note("There are more: --limit \(min(100, limit * 2))") }
        }
    }

    struct Show: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "Show one job.", discussion: ClientExit.help)
        @Argument(help: "The job's id.") var id: String
        @OptionGroup var connection: ConnectionFlags

        func validate() throws { try checkNotEmpty(id, "ID") }

        func perform(_ client: OmniClient) async throws {
            let job = try await client.videos.retrieve(id)
            Output.line(connection.json ? job.json.jsonText : JobsCommand.line(job))
            if !connection.json, let error = job.error { Output.line(Terminal.harmless(error.message)) }
        }
    }

    struct Wait: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "Wait for a job and fetch its video.", discussion: ClientExit.help)
        @Argument(help: "The job's id.") var id: String
        @Option(name: .shortAndLong, help: ArgumentHelp("Where the video goes; - is the standard output.", valueName: "file")) var output:
            String?
        @OptionGroup var connection: ConnectionFlags

        func validate() throws {
            try checkNotEmpty(id, "ID")
            try JobWatch.checkOutput(output, json: connection.json)
        }

        func perform(_ client: OmniClient) async throws {
            let path = output ?? Files.free("video", "mp4")
            try Files.checkWritable(path)
            let job = try await client.videos.retrieve(id)
            try await JobWatch.finish(job, client, output: path, json: connection.json)
        }
    }

    struct Cancel: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop a job, or forget a finished one with its video.", discussion: ClientExit.help)
        @Argument(help: "The job's id.") var id: String
        @OptionGroup var connection: ConnectionFlags

        func validate() throws { try checkNotEmpty(id, "ID") }

        func perform(_ client: OmniClient) async throws {
            let reply = try await client.videos.delete(id)
            Output.line(connection.json ? reply.json.jsonText : "\(reply.id) is gone.")
        }
    }

    /// `video_gen_…  in_progress  45 %  denoise 9/20  a cat on a …`, cut to the window; in a narrow one the id has a line of its own.
    ///
    /// - Parameter columns: nil cuts nothing.
    static func line(_ job: VideoJob, columns: Int? = Terminal.showsOutput ? Terminal.size(STDOUT_FILENO).columns : nil) -> String {
        var parts = [job.status.rawValue, "\(job.progress) %"]
        if let stage = job.stage, job.status == .inProgress { parts.append(stage + (job.steps.map { " \(job.step ?? 0)/\($0)" } ?? "")) }
        if job.status == .queued, let place = job.queuePosition { parts.append("\(place) before it") }
        if let eta = job.etaSeconds, !job.status.isOver { parts.append("\(ProgressBar.time(eta)) left") }
        parts.append(Terminal.harmless(job.prompt ?? "").replacingOccurrences(of: "\n", with: " "))
        let text = "  " + parts.joined(separator: "  ")
        guard let columns else { return job.id + text }
        return columns < 80 ? "\(job.id)\n\(Terminal.fitted(text, columns))" : Terminal.fitted(job.id + text, columns)
    }
}
