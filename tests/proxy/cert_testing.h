/* Certificates for tests, made when they are needed: nothing that expires lies in the tree. */
#ifndef CERT_TESTING_H
#define CERT_TESTING_H

struct cert_wish {
    const char *file; /**< begin of the names: FILE-key.pem and FILE-cert.pem */
    const char *common_name;
    const char *alt_names; /**< as OpenSSL's configuration has them, "DNS:a.example,IP:::1"; NULL:
                              none */
    int days;              /**< valid from yesterday for so many days; below 0: already expired */
};

/** A key and a certificate that signs itself, as PEM files in testing_folder(). */
void cert_make(const struct cert_wish *wish);

/** The paths, in static memory of a few: good for a while. */
const char *cert_path(const char *file, const char *kind);

#endif
