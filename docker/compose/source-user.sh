# shellcheck shell=bash
# Sourced by the image's entrypoint: what reading the binlog and a snapshot needs.
docker_process_sql <<END
CREATE USER cdc IDENTIFIED BY '$CDC_PASSWORD';
GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO cdc;
END
