import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.Base64;

/**
 * A publisher's software on the JDK's own client as it is made by default: HTTP/2 wanted, so that each request over http
 * asks for an upgrade. Arguments: the gateway's URL, then client id and secret of the sender and of the recipient, a message's file,
 * and the inbox item to refuse. Prints one line a step: its name, the version of HTTP, the status, the body's beginning.
 */
public class JavaClient {
    static String gateway;

    public static void main(String[] given) throws Exception {
        gateway = given[0];
        String sender = token(given[1], given[2]);
        String recipient = token(given[3], given[4]);
        told("send", post("/v1/messages", sender).POST(BodyPublishers.ofFile(Path.of(given[5]))));
        // in chunks: the length of a stream is not known beforehand
        told("send again", post("/v1/messages", sender).POST(
            BodyPublishers.ofInputStream(() -> stream(given[5]))));
        told("poll", at("/v1/inbox?wait=1", recipient).GET());
        HttpResponse<java.io.InputStream> events =
            client().send(at("/v1/inbox/stream", recipient).GET().build(), BodyHandlers.ofInputStream());
        try (var lines = new BufferedReader(new InputStreamReader(events.body()))) {
            System.out.println("stream " + events.version() + " " + events.statusCode() + " " + lines.readLine());
        }
        told("ack", post("/v1/inbox/" + given[6] + "/ack", recipient).POST(
            BodyPublishers.ofString("{\"step\":\"ERREUR\",\"refused\":true}")));
    }

    static HttpClient client() {
        return HttpClient.newHttpClient();
    }

    static java.io.InputStream stream(String file) {
        try {
            return java.nio.file.Files.newInputStream(Path.of(file));
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }

    static String token(String id, String secret) throws Exception {
        String credentials = Base64.getEncoder().encodeToString((id + ":" + secret).getBytes());
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(gateway + "/oauth2/token"))
            .header("Authorization", "Basic " + credentials)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(BodyPublishers.ofString("grant_type=client_credentials"));
        return told("token", request).replaceAll(".*\"access_token\":\"([^\"]+)\".*", "$1");
    }

    static HttpRequest.Builder at(String path, String token) {
        return HttpRequest.newBuilder(URI.create(gateway + path)).header("Authorization", "Bearer " + token);
    }

    static HttpRequest.Builder post(String path, String token) {
        return at(path, token).header("Content-Type", "application/json");
    }

    static String told(String step, HttpRequest.Builder request) throws Exception {
        HttpResponse<String> answer = client().send(request.build(), BodyHandlers.ofString());
        String body = answer.body();
        String shown = step.equals("token") ? "" : body.substring(0, Math.min(200, body.length()));
        System.out.println(step + " " + answer.version() + " " + answer.statusCode() + " " + shown);
        return body;
    }
}
